"""What a file is that was given for weights and is none, by its first bytes; its name says little."""
import sys
import zipfile
from pathlib import Path

from mmduet.io.files import open_regular

_FIRST = 512
_STARTS = (
    (b'\x89PNG\r\n', 'a PNG image'), (b'\xff\xd8\xff', 'a JPEG image'), (b'GIF8', 'a GIF image'), (b'II*\0', 'a TIFF image'),
    (b'MM\0*', 'a TIFF image'), (b'%PDF-', 'a PDF'), (b'\x1f\x8b', 'compressed by gzip'), (b'7z\xbc\xaf', 'a 7z archive'),
    (b'Rar!', 'a RAR archive'), (b'\x89HDF', 'an HDF5 file'), (b'\x93NUMPY', 'a NumPy array'),
    (b'version https://git-lfs', 'a pointer of Git LFS, whose content `git lfs pull` fetches'))
_MEMBERS = frozenset({'data.pkl', 'byteorder', 'version'})
_ZIP, _SAFETENSORS = b'PK\x03\x04', '.safetensors'


def describe_other_kind(path: Path) -> str:
    """What a file is, where it can be no weights; empty where it can be, or nobody can tell.

    Raises:
        FileNotFoundError: no such file.
        DataError: it is no regular file.
    """
    with open_regular(path, sys.maxsize) as file:
        start = file.read(_FIRST)
    for first, kind in _STARTS:
        if start.startswith(first):
            return kind
    if start[:4] == b'RIFF' and start[8:12] == b'WEBP':
        return 'a WebP image'
    if start.startswith(_ZIP):
        return _describe_zip(path)
    if start[8:10] == b'{"':  # after a length that may be any bytes, those of ONNX too
        return '' if path.suffix == _SAFETENSORS else f'a safetensors file: its name must end in {_SAFETENSORS}'
    if _is_onnx(start):
        return 'a model that was exported (ONNX), which mmduet predict takes and training, tests and the demo do not'
    return _describe_text(start)


def _describe_zip(path: Path) -> str:
    """A zip is PyTorch's, whole or damaged, if any of its members has a name that PyTorch gives."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ''  # cut short or changed, which is said where it is read
    if path.suffix == _SAFETENSORS:
        return f'no safetensors file but a zip, as PyTorch writes: its name must not end in {_SAFETENSORS}'
    return '' if any(name.rpartition('/')[2] in _MEMBERS for name in names) else f'a zip archive of {len(names)} files'


def _is_onnx(start: bytes) -> bool:
    """Whether it begins with the version of ONNX's format, and then says who made it or in which domain."""
    return len(start) > 4 and start[0] == 0x08 and 3 <= start[1] <= 20 and start[2] in (0x12, 0x1a)


def _describe_text(start: bytes) -> str:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else a letter is cut at the end
            return ''
        text = start[:error.start].decode()
    if not text or not all(letter.isprintable() or letter.isspace() for letter in text):
        return ''
    if text.lstrip().lower().startswith(('<!doctype html', '<html')):
        return 'a page of the web: its download led to one'
    return 'a text file'
