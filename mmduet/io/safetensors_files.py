"""Safetensors files with a checksum of what they hold; the format itself has none.

A file of ours says in its metadata, under ``sha256``, what the tensors' names, types, shapes and bytes hash to, and is compared
with that whenever it is read. A file of others is read as it is: a changed byte of its numbers cannot be told.
"""
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from mmduet.io.errors import TruncatedFileError
from mmduet.io.files import replacing, require_regular, sha256_of

CHECKSUM = 'sha256'
# As the library itself has it.
_LONGEST_HEADER = 100_000_000
_BLOCK = 1 << 20


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write contiguous tensors in one step, with their checksum and what else is to stand in the metadata.

    Raises:
        OSError: the disk is full or the folder cannot be written to.
    """
    with replacing(path) as partial, partial.open('wb') as file:
        file.writelines(pack_safetensors(tensors, metadata))


def pack_safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> list[bytes | memoryview]:
    """What ``write_safetensors`` writes, in pieces."""
    content = memoryview(save(dict(tensors)))
    length, = struct.unpack('<Q', content[:8])
    header, numbers = json.loads(bytes(content[8:8 + length])), content[8 + length:]
    checksum = sha256_of([_canonical(header), numbers])
    text = json.dumps({'__metadata__': {**(metadata or {}), CHECKSUM: checksum}, **header}, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    return [struct.pack('<Q', len(text)) + text, numbers]


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, after a comparison with its checksum where it has one.

    Raises:
        FileNotFoundError: no such file.
        DataError: it is no regular file.
        TruncatedFileError: it is empty, cut short or changed.
    """
    require_regular(path)
    try:
        _check(path)
        return load_file(path)
    except (SafetensorError, ValueError, OSError, struct.error, RecursionError, AttributeError, TypeError) as error:
        raise TruncatedFileError(f'{path} is truncated or corrupt ({str(error).splitlines()[0]})') from error


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a file; empty where it has none. Its tensors are neither read nor checked.

    Raises:
        FileNotFoundError: no such file.
        DataError: it is no regular file.
        TruncatedFileError: its header is cut short or changed.
    """
    require_regular(path)
    try:
        with safe_open(path, 'pt') as file:
            return dict(file.metadata() or {})
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise TruncatedFileError(f'{path} is truncated or corrupt ({str(error).splitlines()[0]})') from error


def _check(path: Path) -> None:
    with path.open('rb') as file:
        length, = struct.unpack('<Q', file.read(8))
        if length > _LONGEST_HEADER:
            raise ValueError(f'a header of {length:,} bytes')
        header = json.loads(file.read(length))
        known = header.get('__metadata__', {}).get(CHECKSUM)
        if known is not None and sha256_of([_canonical(header), *iter(lambda: file.read(_BLOCK), b'')]) != known:
            raise ValueError('its numbers are not those that were written: the checksum differs')


def _canonical(header: Mapping[str, Any]) -> bytes:
    """The header without metadata, in one spelling."""
    tensors = {name: entry for name, entry in header.items() if name != '__metadata__'}
    return json.dumps(tensors, sort_keys=True, separators=(',', ':')).encode()
