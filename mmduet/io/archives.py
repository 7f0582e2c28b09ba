"""Whether the members of a zip archive are what was written; PyTorch itself reads a changed byte without a word."""
import zipfile
import zlib
from pathlib import Path

from mmduet.io.errors import TruncatedFileError
from mmduet.io.files import require_regular

MAGIC = b'PK\x03\x04'
_BLOCK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, LookupError)


def check_archive(path: Path) -> bool:
    """Compare every member of an archive that ``torch.save`` wrote with its CRC-32; False where the file is no archive.

    PyTorch's older format has no checksums, and nothing can be said of it. Members must be stored as they are, so that reading
    one never takes more memory than the file is large.

    Raises:
        FileNotFoundError: no such file.
        DataError: it is no regular file.
        TruncatedFileError: a byte has changed or is missing, or a member is compressed, repeated or overlaps another.
    """
    require_regular(path)
    with path.open('rb') as file:
        begins = file.read(len(MAGIC)) == MAGIC
    if not begins and not zipfile.is_zipfile(path):
        return False
    try:
        if not begins:
            raise zipfile.BadZipFile('its first bytes are not those of an archive')
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.stat().st_size)
    except _BROKEN as error:
        raise TruncatedFileError(f'{path} is truncated or corrupt ({error or type(error).__name__})') from error
    return True


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise zipfile.BadZipFile(f'{member.filename} is compressed, which torch.save never does')
    if len({member.filename for member in members}) != len(members) or sum(m.file_size for m in members) > size:
        raise zipfile.BadZipFile('its directory names a member twice or more bytes than there are')
    for member in members:
        with archive.open(member) as content:
            while content.read(_BLOCK):
                pass  # the last block raises where the CRC-32 is another
