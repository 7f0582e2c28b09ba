"""Notice what reading a file never does: running programs or code of the case, writing elsewhere, calling out."""
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

from tests.hostile.case import MARK

ROOM = 2**30  # bytes that reading one hostile file may take of the address space
_RUNNING = ('os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.fork', 'os.forkpty', 'subprocess.Popen', 'pty.spawn',
            'ctypes.dlopen', 'webbrowser.open', 'marshal.loads')
_CHANGING = ('os.mkdir', 'os.remove', 'os.rename', 'os.rmdir', 'os.link', 'os.symlink', 'os.truncate', 'os.chmod',
    'shutil.rmtree',
             'shutil.move')
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Watch:
    folders: tuple[str, ...] = ()  # where a case may write; empty where nobody watches
    installed = False
    seen: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Watch.folders:
        return
    folders, _Watch.folders = _Watch.folders, ()  # what the hook itself does is not watched
    try:
        if problem := _judge(event, arguments, folders):
            _Watch.seen.append(problem)
    finally:
        _Watch.folders = folders


def _judge(event: str, arguments: tuple[Any, ...], folders: tuple[str, ...]) -> str | None:
    if event in _RUNNING:
        # transformers and torch load libraries and Python's cached modules when they are first used.
        if event == 'ctypes.dlopen' or (event == 'marshal.loads' and MARK.encode() not in bytes(arguments[0])):
            return None
        return f'{event}{arguments!r:.200}'
    if event == 'exec':
        code = arguments[0]
        # A name in brackets is that of no file, but of what a library makes when it is first imported.
        foreign = isinstance(code, CodeType) and (MARK in repr(code.co_consts) or (
            not code.co_filename.startswith('<') and _inside(code.co_filename, folders)))
        return f'ran {code.co_filename}' if foreign else None
    if event == 'import' and MARK in str(arguments[0]):
        return f'imported {arguments[0]}'
    if event == 'open':
        path, flags = arguments[0], arguments[2]
        writes = isinstance(flags, int) and flags & _WRITING
        return f'wrote {path}' if writes and isinstance(path, str | bytes) and not _inside(path, folders) else None
    if event in _CHANGING and not _inside(arguments[0], folders):
        return f'{event} {arguments[0]}'
    if event == 'socket.connect' and isinstance(arguments[1], tuple) and arguments[1][0] not in ('127.0.0.1', 'localhost',
        '::1'):
        return f'called {arguments[1]}'
    return None


def _inside(path: Any, folders: tuple[str, ...]) -> bool:
    try:
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (links count as where they lie)
    except (TypeError, ValueError):
        return False
    return text in ('/dev/null', os.devnull) or text.startswith(folders) or '__pycache__' in text


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """What a reader does that it must not; empty at the end for a good one. Writing is allowed in ``folder`` and beside it.

    Memory is bounded to ``ROOM`` over what the process has; beyond, a ``MemoryError`` comes up.
    """
    if not _Watch.installed:
        sys.addaudithook(_hook)
        _Watch.installed = True
    _Watch.seen = []
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    # Temporary folders of ours; what a case writes there on purpose carries the mark, and is looked for.
    _Watch.folders = (f'{folder}{os.sep}', str(folder), '/tmp/mmduet_', '/tmp/tmp')
    try:
        yield _Watch.seen
    finally:
        _Watch.folders = ()
        resource.setrlimit(resource.RLIMIT_AS, before)
