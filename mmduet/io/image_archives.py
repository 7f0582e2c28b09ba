"""Images read out of a zip or a tar as it was downloaded, without extracting it.

A path goes into an archive as into a folder: ``COCO/train2014.zip/train2014/COCO_train2014_000000000009.jpg``. On a disk that
many machines share, opening one of 80,000 files takes longer than reading it; an archive is opened once.

An archive comes from anywhere: names that lead outside, names that are there twice, members that say more bytes than an image
may have and those that are encrypted are refused. What is stored as it is is compared with the CRC-32 of a zip where it is
checked, not each time that it is read: that would take as long as reading it, and a file in a folder has none.
"""
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.io.errors import ImageError
from mmduet.io.files import require_regular, stays_inside

SUFFIXES = ('.zip', '.tar')
# Compressed as a whole: what lies in the middle cannot be read without all before it.
PACKED = ('.tar.gz', '.tgz', '.tar.bz2', '.tar.xz')
MOST_MEMBER = 2**28  # as ``mmduet.io.images.MOST_BYTES``
LONGEST_NAME = 1024
_PLAIN = 255  # a method that no zip has: the bytes of a tar, which have no checksum
_LOCAL_HEADER = struct.Struct('<4s22xHH')
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, OSError, ValueError, EOFError, struct.error, NotImplementedError, LookupError)
_Entry = tuple[str, int, int, int, int, int]  # name, offset, bytes there, bytes when unpacked, method, CRC-32


class ImageArchive:
    """The members of a zip or tar, by name; its directory is read once, and lies in a few arrays that workers share.

    Forked workers share the open file too, as nothing has a position in it; one that is pickled is opened anew where it
    arrives. What is read is the file's content when it was opened; a spawned worker refuses another one.

    Args:
        path: the archive.

    Raises:
        ImageError: it is no archive, is compressed as a whole, or its directory is broken or names what is refused.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.name.lower().endswith(PACKED):
            raise ImageError(f'{path} is compressed as a whole, so that no image can be read alone: unpack it once to a .tar '
                             '(gunzip, bunzip2, unxz) and name that')
        self._open()
        try:
            entries = sorted(_read_zip(self.path) if self.path.suffix.lower() == '.zip' else _read_tar(self.path))
        except ImageError:
            raise
        except _BROKEN as error:
            raise ImageError(f'{path} is no whole archive ({error or type(error).__name__})') from error
        names = [self._checked(name) for name, *_ in entries]
        self._names = np.array(sorted(names), dtype=bytes)
        if len(twice := np.flatnonzero(self._names[1:] == self._names[:-1])):
            raise ImageError(f'{path} holds {self._names[twice[0]].decode(errors="replace")} twice')
        order = sorted(range(len(names)), key=names.__getitem__)
        numbers = [entries[number][1:] for number in order]
        self._entries = np.array(numbers, dtype=np.int64).reshape(-1, 5)

    def _open(self) -> None:
        try:
            require_regular(self.path)
            self._file = self.path.open('rb', buffering=0)
        except (OSError, ValueError) as error:
            raise ImageError(f'{self.path} cannot be read: {getattr(error, "strerror", None) or error}') from error
        status = os.fstat(self._file.fileno())
        self._stamp, self._lock = (status.st_size, status.st_mtime_ns), threading.Lock()

    def _checked(self, name: str) -> bytes:
        encoded = name.encode('utf-8', 'surrogateescape')
        if not stays_inside(name) or '\0' in name or len(encoded) > LONGEST_NAME:
            raise ImageError(f'{self.path} holds {name!r:.80}, a name that leads outside or has over {LONGEST_NAME} bytes')
        return encoded

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return (name.decode('utf-8', 'surrogateescape') for name in self._names.tolist())

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> int | None:
        wanted = name.encode('utf-8', 'surrogateescape')
        if not 0 < len(wanted) <= self._names.itemsize:
            return None
        place = int(np.searchsorted(self._names, np.bytes_(wanted)))
        return place if place < len(self) and self._names[place] == wanted else None

    def read(self, name: str, check: bool = False) -> bytes:
        """The bytes of a member.

        Args:
            name: of the member, its folders included.
            check: compare its bytes with the CRC-32 of a zip though nothing unpacks them.

        Raises:
            ImageError: there is no such member, it is larger than an image may be, packed in a way that is not read, truncated
                or damaged; names archive and member.
        """
        if (place := self._find(name)) is None:
            raise ImageError(f'{self.path} holds no {name}')
        offset, packed, size, method, checksum = self._entries[place].tolist()
        where = f'{self.path}: {name}'
        if max(packed, size) > MOST_MEMBER:
            raise ImageError(f'{where} has {max(packed, size):,} bytes, more than the {MOST_MEMBER:,} that are read')
        try:
            if method == _PLAIN:
                return self._read_at(offset, packed)
            magic, name_length, extra_length = _LOCAL_HEADER.unpack(self._read_at(offset, _LOCAL_HEADER.size))
            if magic != b'PK\x03\x04':
                raise ValueError('its header is not where the directory says')
            content = self._read_at(offset + _LOCAL_HEADER.size + name_length + extra_length, packed)
            if method == zipfile.ZIP_DEFLATED:
                content, check = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1), True
            if len(content) != size or (check and zlib.crc32(content) != checksum):
                raise ValueError('its bytes are not those that were packed')
        except (OSError, ValueError, EOFError, zlib.error, struct.error) as error:
            raise ImageError(f'{where} is truncated or damaged: {error}') from error
        return content

    def _read_at(self, offset: int, count: int) -> bytes:
        if hasattr(os, 'pread'):
            content = os.pread(self._file.fileno(), count, offset)
        else:
            with self._lock:
                self._file.seek(offset)
                content = self._file.read(count)
        if len(content) != count:
            raise EOFError('the archive ends before it')
        return content

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ('_file', '_lock')}

    def __setstate__(self, state: dict[str, Any]) -> None:
        stamp = state['_stamp']
        vars(self).update(state)
        self._open()
        if self._stamp != stamp:
            raise ImageError(f'{self.path} has changed since its directory was read')
        _ARCHIVES.setdefault(str(self.path), self)


_ARCHIVES: dict[str, ImageArchive] = {}  # those that this process has open, and those that forked it


def _read_zip(path: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ImageError(f'{path}: {member.filename!r:.80} is encrypted, or packed in a way that is not read: pack the '
                                 'images anew (zip -0)')
            yield (member.filename, member.header_offset, member.compress_size, member.file_size, member.compress_type,
                   member.CRC)


def _read_tar(path: Path) -> Iterator[_Entry]:
    with tarfile.open(path, 'r:') as archive:
        for member in archive:
            if member.isreg() and not member.issparse():
                yield member.name.removeprefix('./'), member.offset_data, member.size, member.size, _PLAIN, 0


def is_archive(path: str | Path) -> bool:
    """Whether a path is that of an archive, by its name: a file that ends in ``.zip`` or ``.tar``, packed or not."""
    return str(path).lower().endswith((*SUFFIXES, *PACKED)) and Path(path).is_file()


def open_archive(path: str | Path) -> ImageArchive:
    """The archive of a path, whose directory a process reads once; raises as ``ImageArchive``."""
    key = str(path)
    if key not in _ARCHIVES:
        _ARCHIVES[key] = ImageArchive(path)
    return _ARCHIVES[key]


def read_from_open(path: Path, check: bool = False) -> bytes | None:
    """The bytes of a path that goes into an archive which this process has open; None where it goes into none.

    Raises:
        ImageError: see ``ImageArchive.read``.
    """
    text = str(path) if _ARCHIVES else ''
    for key, archive in _ARCHIVES.items():
        if text.startswith(key) and text[len(key):len(key) + 1] == os.sep:
            return archive.read(text[len(key) + 1:].replace(os.sep, '/'), check)
    return None


def read_inside(path: Path, check: bool = False) -> bytes | None:
    """As ``read_from_open``, of any archive, which is opened."""
    folder = next((parent for parent in path.parents if is_archive(parent)), None)
    return None if folder is None else open_archive(folder).read(path.relative_to(folder).as_posix(), check)
