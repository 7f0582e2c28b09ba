"""The files of a source: a folder, one file or a zip archive, listed once, each parsed at most once, none of them run."""
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mmduet.io.errors import DataError
from mmduet.io.files import is_hidden, require_regular, stays_inside
from mmduet.io.text import read_json

SUFFIXES = ('.json', '.jsonl', '.p', '.pth', '.txt', '.xml', '.mat')
DEPTH = 4
MOST_BYTES = 16 * 2**30
SHOWN = 8


class SourceFiles:
    """Files that a layout is recognised by and read from: those of a folder, or one file, of the suffixes of annotations."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = [root] if root.is_file() else sorted(_walk(root, DEPTH))
        self._parsed: dict[Path, Any] = {}

    def named(self, *suffixes: str) -> list[Path]:
        """Files whose name ends in one of the suffixes."""
        return [path for path in self.paths if path.name.endswith(suffixes)]

    def json(self, path: Path) -> Any:
        """Content of a JSON file; raises as ``read_json``."""
        if path not in self._parsed:
            self._parsed[path] = read_json(path)
        return self._parsed[path]

    def describe(self) -> str:
        """What is there, in a few names."""
        if not self.paths:
            return f'{self.root} holds no annotation file ({", ".join(SUFFIXES)})'
        names = [str(path.relative_to(self.root)) if path != self.root else path.name for path in self.paths[:SHOWN]]
        return f'{self.root} holds: {", ".join(names)}{", ..." if len(self.paths) > SHOWN else ""}'


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if is_hidden(entry.name):
            continue
        if entry.is_dir():
            if depth > 1:
                yield from _walk(Path(entry.path), depth - 1)
        elif entry.name.endswith(SUFFIXES) and entry.is_file():  # no pipe, which would be waited for
            yield Path(entry.path)


@contextmanager
def open_source(source: Path) -> Iterator[SourceFiles]:
    """The files of a folder, a file or a zip archive, which is unpacked to a temporary folder; errors: see ``unpack``."""
    if not source.exists():
        raise DataError(f'{source} does not exist: no such folder or file')
    if not source.is_dir():
        require_regular(source)
    if source.is_dir() or source.suffix.lower() != '.zip':
        yield SourceFiles(source)
        return
    with tempfile.TemporaryDirectory(prefix='mmduet_') as folder:
        unpack(source, Path(folder))
        try:
            yield SourceFiles(Path(folder))
        except DataError as error:
            raise type(error)(str(error).replace(folder, str(source))) from error


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the annotation files of a zip archive, and nothing else, into a folder.

    Raises:
        DataError: no zip, truncated or corrupt; a member leads out of the folder, is absolute or a link; or the members are
            larger together than any archive of these data sets. Names the archive and the member.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            for member in members:
                if not stays_inside(member.filename):
                    raise DataError(f'{archive}: refuses {member.filename!r}, which would be written outside its folder')
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise DataError(f'{archive}: refuses {member.filename!r}, which is a link')
            wanted = [m for m in members if m.filename.endswith(SUFFIXES)
                      and not any(map(is_hidden, PurePosixPath(m.filename).parts))]
            size = sum(member.file_size for member in wanted)
            if size > min(MOST_BYTES, shutil.disk_usage(folder).free):
                raise DataError(f'{archive}: refuses to unpack {size:,} bytes, more than any of these data sets or the disk '
                                'has')
            for member in wanted:
                file.extract(member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise DataError(f'{archive} is truncated, corrupt or no zip archive ({error})') from error
