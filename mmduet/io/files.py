"""Finding files, their SHA-256, names that others wrote, and writing so that nobody ever reads half of a file."""
import errno
import hashlib
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

from mmduet.io.errors import DataError

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGE_PARENT = PACKAGE.parent
CONFIGS = PACKAGE / 'configs'
_PARTIAL = '.partial'
_BLOCK = 1 << 20
# Text and JSON that are read whole; the largest annotations of a public data set have a tenth of it.
MOST_TEXT = 2**31
# Leaves room for a suffix in the 255 bytes that file systems allow.
_LONGEST_NAME = 200
_SEPARATORS = re.compile(r'[/\\:\0]')
_DEVICE = re.compile(r'(con|prn|aux|nul|com\d|lpt\d)(\..*)?', re.IGNORECASE)


def data_folder() -> Path:
    """Where data roots lie: ``data`` of the checkout, or of the working directory where the package was installed."""
    return (PACKAGE_PARENT if (PACKAGE_PARENT / 'pyproject.toml').is_file() else Path()) / 'data'


def find_file(name: str | Path) -> Path:
    """Return the path itself if it exists, else the same path of the package: ``mmduet/...``, ``configs/...``, from any folder.

    Raises:
        FileNotFoundError: neither exists; names both places.
    """
    given = Path(name)
    places = [given, PACKAGE_PARENT / given]
    if given.parts[:1] == ('configs', ):
        places.insert(1, PACKAGE / given)  # a checkout has a link beside the package, where its system can make links
    for path in places:
        if path.exists():
            return path
    raise FileNotFoundError(f'{name}: not found from {Path.cwd()} nor in {PACKAGE_PARENT}')


def stays_inside(name: str) -> bool:
    """Whether a name that somebody else wrote leads to a place inside the folder it is joined to, on any system.

    >>> stays_inside('train2014/1.jpg'), stays_inside('a/../../b'), stays_inside('/etc/x'), stays_inside('C:x')
    (True, False, False, False)
    """
    if not _SEPARATORS.search(name):
        return name != '..'
    path = PureWindowsPath(name)  # knows both separators, and drives
    return not path.anchor and '..' not in path.parts and '\0' not in name


def checked_name(name: Any, what: str) -> str:
    """A name that somebody else wrote, if it can be that of one file or folder on any system; ``what`` it names, in words.

    Raises:
        DataError: it is no text, blank or too long, begins with a dot, or holds a separator, a drive or a control character.

    >>> checked_name('testA', 'the split')
    'testA'
    """
    good = (isinstance(name, str) and name.strip() == name != '' and not name.startswith('.') and not name.endswith('.')
            and name.isprintable() and not set(name) & set('/\\:*?"<>|') and not _DEVICE.fullmatch(name))
    if not good or len(name.encode(errors='replace')) > _LONGEST_NAME:
        raise DataError(f'{what} must be a plain name, of at most {_LONGEST_NAME} bytes and without separators, got '
                        f'{name!r:.80}')
    return str(name)


def require_regular(path: Path) -> None:
    """Raise a ``DataError`` unless a path is that of a regular file: a device may be endless, and a pipe waits for ever.

    Raises:
        FileNotFoundError: there is nothing.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f'{path} is no regular file')


@contextmanager
def open_regular(path: Path, most: int) -> Iterator[BinaryIO]:
    """A regular file of at most ``most`` bytes, opened for reading.

    Raises:
        OSError: it cannot be opened.
        DataError: it is no regular file, or larger.
    """
    # Without waiting for the other end of a pipe.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0))
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise DataError(f'{path} is no regular file')
    with os.fdopen(descriptor, 'rb') as file:
        if found.st_size > most:
            raise DataError(f'{path} has {found.st_size:,} bytes, more than the {most:,} that are read')
        yield file


def read_regular(path: Path, most: int = MOST_TEXT) -> bytes:
    """All bytes of a file; raises as ``open_regular``, so that neither a device nor a pipe is waited for."""
    with open_regular(path, most) as file:
        return file.read()


def sha256_of(source: Path | bytes | memoryview | Iterable[bytes | memoryview]) -> str:
    """SHA-256, hexadecimal, of a file at a path, or of content, whole or in pieces.

    >>> sha256_of(b'ab') == sha256_of([b'a', b'b'])
    True
    """
    if isinstance(source, Path):
        with open_regular(source, sys.maxsize) as file:
            return sha256_of(iter(lambda: file.read(_BLOCK), b''))
    digest = hashlib.sha256()
    for piece in [source] if isinstance(source, bytes | memoryview) else source:
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an ``OSError`` that names no file, as that of a write which the disk refuses, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or made by a system beside the files (``._x``, ``__MACOSX``).

    >>> is_hidden('._a.jpg'), is_hidden('__MACOSX'), is_hidden('Thumbs.db'), is_hidden('a.jpg')
    (True, True, True, False)
    """
    return name.startswith('.') or name == '__MACOSX' or name.lower() in ('thumbs.db', 'desktop.ini')


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Whether two paths are of one file or folder that is there; never of what is no path, as a URL or some words."""
    try:
        return Path(first).samefile(second)
    except (OSError, ValueError):
        return False


def require_apart(path: str | Path, sources: Iterable[str | Path]) -> None:
    """Raise a ``DataError`` where a file that is to be written is one of those that it is made of: it would be lost."""
    if any(is_same_file(path, source) for source in sources):
        raise DataError(f'{path} is read here, and what is written would take its place: name another file')


def require_writable(path: Path) -> None:
    """Raise now the ``OSError`` that writing a file to a path would raise after hours of work; makes nothing.

    Missing folders are as good as the first that is there. Whether the disk has room is not known before.
    """
    folder, number = path.parent, 0
    while not folder.exists():
        folder = folder.parent
    if path.is_dir():
        number, folder = errno.EISDIR, path
    elif not folder.is_dir():
        number = errno.ENOTDIR
    elif not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EACCES if os.name != 'posix' or not os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EROFS
    if number:
        raise OSError(number, os.strerror(number), str(folder))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; what is there at the end is flushed to the disk and renamed to ``path``.

    A kill at any moment leaves the old file or the new one. After an error the old one is as it was and nothing lies beside.

    Raises:
        OSError: the disk is full or the folder cannot be written to.
    """
    name = path.name if len(os.fsencode(path.name)) <= _LONGEST_NAME else f'{zlib.crc32(os.fsencode(path.name)):08x}'
    partial = path.with_name(f'.{name}.{os.getpid()}{_PARTIAL}')
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        yield partial
        with partial.open('rb+') as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        # Nobody knows the name beside, and a write that the disk refuses says none.
        if error.errno is not None and error.filename in (None, str(partial)):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    if os.name == 'posix':  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            # Some network file systems cannot flush a folder; the file is in place.
            if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
                raise
        finally:
            os.close(folder)


def write_anew(path: Path, content: bytes) -> None:
    """Write one of many files of a folder that is made anew: not flushed to the disk, which would take longer than the rest.

    After an error, which names the file, nothing of it is there. Raises as ``replacing``.
    """
    try:
        with naming(path):
            path.write_bytes(content)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file in one step, text as UTF-8; raises as ``replacing``."""
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_together(contents: Mapping[Path, str | Iterable[bytes | memoryview]]) -> None:
    """Write several files, text as UTF-8 or bytes in pieces, all or none; makes missing folders. Raises as ``replacing``."""
    with ExitStack() as stack:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with stack.enter_context(replacing(path)).open('wb') as file:
                # JSON may spell half of a pair of surrogates, which no file can hold.
                file.writelines([content.encode(errors='replace')] if isinstance(content, str) else content)


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left half written in a folder; no other process may be writing there."""
    for partial in folder.glob(f'.*{_PARTIAL}'):
        partial.unlink(missing_ok=True)
