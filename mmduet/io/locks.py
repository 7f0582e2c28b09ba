"""A folder for one process at a time, so that two do not replace each other's files."""
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mmduet.io.errors import DataError
from mmduet.io.files import write_atomically
from mmduet.io.text import read_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK, HOLDER = '.lock', '.lock.json'


class LockedError(DataError):
    """Another process works in a folder."""


@contextmanager
def locked(folder: Path, place: Path | None = None) -> Iterator[None]:
    """Keep a folder for this process.

    The lock is the system's own: it ends with the process that holds it, however that ends. ``.lock.json`` says who it is. Both
    lie in the folder, or in ``place`` where the folder may be removed meanwhile; what is missing is made.

    Raises:
        LockedError: another process holds it; names its host and number.
        OSError: the folder cannot be written to.
    """
    place = folder if place is None else place
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(place / LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LockedError(f'{folder} is in use by {_describe_holder(place)}: wait for its end, or choose another folder, as '
                          'two would delete the files of each other') from error
    try:
        write_atomically(place / HOLDER, json.dumps({'host': socket.gethostname(), 'process': os.getpid()}))
        yield
    finally:
        (place / HOLDER).unlink(missing_ok=True)
        lock.release()


@contextmanager
def reading(folder: Path, place: Path | None = None) -> Iterator[None]:
    """Keep a folder from being written by others while it is read; as many as want may read at a time.

    The lock is that of ``locked``. Does nothing where its place is not there, or cannot be locked: where nothing can be
    written, nothing is, and Windows has no such lock.

    Raises:
        LockedError: another process writes there; names its host and number.
    """
    place = folder if place is None else place
    descriptor = _open_lock(place / LOCK) if fcntl is not None else None
    if descriptor is None:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError(f'{folder} is being written by {_describe_holder(place)}: wait for its end') from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _open_lock(path: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with suppress(OSError):
            return os.open(path, flags, 0o644)
    return None


def _describe_holder(folder: Path) -> str:
    try:
        holder = read_json(folder / HOLDER)
        return f'process {int(holder["process"])} on {str(holder["host"])[:100]!r}'
    except (DataError, KeyError, TypeError, ValueError):
        return 'another process'
