"""Matrices of numbers from MATLAB's files of version 5 (also 6 and 7), by their published format.

SciPy's reader ends the whole process on some files that were cut off or changed; masks come from the internet, so here every
length is checked before it is used.
"""
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.io.errors import DataError
from mmduet.io.files import read_regular

_HEADER = 128
# Types of elements and what numbers they hold.
_NUMBERS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}
_MATRIX, _COMPRESSED = 14, 15
# Classes of matrices of plain numbers, double to uint64; the others are cell arrays, structures, objects, text and sparse ones.
_NUMERIC_CLASSES = range(6, 16)
# More than any image needs; a few bytes of a compressed file could ask for all memory.
_MOST_BYTES = 2**28


def read_matrix(path: Path, name: str) -> NDArray[Any]:
    """The matrix of a name, (h, w).

    Raises:
        DataError: the file is truncated, of another format, or has no such matrix of plain numbers; names it.
    """
    try:
        data = read_regular(path, _MOST_BYTES)
        order = {b'IM': '<', b'MI': '>'}.get(data[126:_HEADER])
        if order is None:
            raise ValueError('it is no MATLAB file of version 5 to 7')
        for kind, content in _elements(data[_HEADER:], order):
            if kind == _COMPRESSED:
                kind, content = next(_elements(_inflate(content), order), (kind, content))
            if kind == _MATRIX and (found := _parse(content, order, name)) is not None:
                return found
    except (OSError, ValueError, LookupError, struct.error, zlib.error) as error:
        raise DataError(f'{path} cannot be read as a matrix: {error}') from error
    raise DataError(f'{path} has no matrix {name!r}')


def _inflate(content: bytes) -> bytes:
    reader = zlib.decompressobj()
    inflated = reader.decompress(content, _MOST_BYTES)
    if reader.unconsumed_tail:
        raise ValueError(f'it unpacks to more than {_MOST_BYTES:,} bytes')
    return inflated


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of the parts of a file or of a matrix, one after the other."""
    position = 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from(f'{order}II', data, position)
        start = position + 8
        if kind >> 16:  # small: type and size share a word, and up to four bytes follow
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            end = position + 8
        else:
            end = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > min(len(data), max(end, start)):
            raise ValueError(f'it is cut off: {size} bytes are announced, {len(data) - start} are there')
        yield kind, data[start:start + size]
        position = end


def _parse(content: bytes, order: str, name: str) -> NDArray[Any] | None:
    """A matrix, or None where it has another name."""
    parts = list(islice(_elements(content, order), 4))
    if len(parts) < 3 or parts[2][1].rstrip(b'\0') != name.encode():
        return None
    if len(parts) < 4 or struct.unpack_from(f'{order}I', parts[0][1])[0] & 0xFF not in _NUMERIC_CLASSES:
        raise ValueError(f'{name} holds no plain numbers')
    shape = np.frombuffer(parts[1][1], f'{order}i4')
    numbers = np.frombuffer(parts[3][1], order + _NUMBERS[parts[3][0]])
    if len(shape) != 2 or int(shape[0]) * int(shape[1]) != len(numbers) or shape.min() < 0:
        raise ValueError(f'{name} has {len(numbers)} numbers, which do not make a matrix of {shape.tolist()}')
    return numbers.reshape(tuple(shape), order='F')
