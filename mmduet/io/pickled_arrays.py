"""NumPy's numbers and arrays in a pickle, as plain numbers and lists, without calling NumPy's own rebuilding.

A pickle names functions to call. Those of NumPy are replaced by the few here, which check what they are given; nothing else of
NumPy can be reached.
"""
import math
import re
from typing import Any

import numpy as np

_NUMBERS = re.compile(r'[<>|=]?[?biuf]\d{0,2}|[<>|=]?[US]\d{1,5}')
_OBJECTS = re.compile(r'\|?O8?')
_ORDERS = ('<', '>', '|', '=')


class ArrayType:
    """Stands for ``numpy.dtype``; its state says the order of bytes."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not (_NUMBERS.fullmatch(code) or _OBJECTS.fullmatch(code)):
            raise ValueError(f'an array of {code!r:.40}')
        self.holds_objects = _OBJECTS.fullmatch(code) is not None
        self.kind = np.dtype('O' if self.holds_objects else code)

    def set_state(self, state: Any) -> None:
        """Take the state that a pickle has for a type: its second value is the order of bytes."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in _ORDERS:
            self.kind = self.kind.newbyteorder(state[1])

    def read(self, content: Any, count: int) -> list[Any]:
        """So many plain values of bytes, flat."""
        if self.holds_objects or not isinstance(content, bytes | bytearray | str):
            raise ValueError('an array without bytes')
        values: list[Any] = np.frombuffer(_to_bytes(content, count * self.kind.itemsize), self.kind).tolist()
        return [value.decode('utf-8', 'replace') if isinstance(value, bytes) else value for value in values]


class PlainArray(list[Any]):
    """Stands for ``numpy.ndarray`` while a pickle is read: a list, or lists of lists, once its state is there."""

    def set_state(self, state: Any) -> None:
        """Take (version, shape, type, whether columns come first, content) of an array."""
        _, shape, kind, by_columns, content = state
        if not isinstance(kind, ArrayType) or not isinstance(content, list if kind.holds_objects else bytes | bytearray | str):
            raise ValueError('an array of an unknown kind')
        count = math.prod(int(side) for side in shape)
        values: list[Any] = content if isinstance(content, list) else kind.read(content, count)
        self[:] = _shaped(values, shape, bool(by_columns))


def make_number(kind: ArrayType, content: Any) -> Any:
    """Stands for ``numpy.core.multiarray.scalar``."""
    value, = kind.read(content, 1)
    return value


def make_array(*_: Any) -> PlainArray:
    """Stands for ``numpy.core.multiarray._reconstruct``, whose array is empty until its state comes."""
    return PlainArray()


def make_from_buffer(content: Any, kind: ArrayType, shape: Any, order: str) -> PlainArray:
    """Stands for ``numpy._core.numeric._frombuffer``, by which the fifth protocol writes arrays."""
    array = PlainArray()
    array.set_state((1, shape, kind, order == 'F', content))
    return array


def encode_text(text: Any, encoding: Any = 'latin1') -> bytes:
    """Stands for ``_codecs.encode``, by which the second protocol writes bytes."""
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise ValueError('bytes in an unknown encoding')
    return text.encode('latin1')


def make_no_bytes() -> bytes:
    """Stands for ``bytes``, by which the second protocol writes none."""
    return b''


class _ArrayClass:
    """Stands for the class ``numpy.ndarray`` itself, which is only an argument."""


STANDINS: dict[tuple[str, str], Any] = {('_codecs', 'encode'): encode_text, ('builtins', 'bytes'): make_no_bytes,
                                        ('__builtin__', 'bytes'): make_no_bytes}
for _core in ('numpy.core', 'numpy._core'):
    STANDINS |= {(f'{_core}.multiarray', 'scalar'): make_number, (f'{_core}.multiarray', '_reconstruct'): make_array,
                 (f'{_core}.numeric', '_frombuffer'): make_from_buffer}
STANDINS |= {('numpy', 'dtype'): ArrayType, ('numpy', 'ndarray'): _ArrayClass}


def to_plain_lists(value: Any) -> Any:
    """Nested containers with lists in the place of arrays."""
    if isinstance(value, dict):
        return {key: to_plain_lists(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(to_plain_lists, value))
    return list(map(to_plain_lists, value)) if isinstance(value, list) else value


def _to_bytes(content: bytes | bytearray | str, length: int) -> bytes | bytearray:
    """Bytes, also those that Python 2 wrote as a text, which was read as UTF-8 or Latin-1: their number says as which."""
    ways = [content] if not isinstance(content, str) else [content.encode('utf-8'), content.encode('latin1', 'ignore')]
    found = next((way for way in ways if len(way) == length), None)
    if found is None:
        raise ValueError(f'an array of {len(ways[0])} bytes, {length} are announced')
    return found


def _shaped(values: list[Any], shape: Any, by_columns: bool) -> list[Any]:
    if not isinstance(shape, tuple) or len(shape) != 1:
        if not shape or math.prod(map(int, shape)) != len(values):
            raise ValueError(f'an array of shape {shape!r:.40}')
        index = np.arange(len(values)).reshape(shape, order='F' if by_columns else 'C')
        return _nested(index.tolist(), values)
    if shape[0] != len(values):
        raise ValueError(f'an array of shape {shape!r:.40}')
    return list(values)


def _nested(index: Any, values: list[Any]) -> Any:
    return [_nested(one, values) for one in index] if isinstance(index, list) else values[index]
