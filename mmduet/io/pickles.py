"""Reading pickles from the internet without running what they say."""
import argparse
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.io.errors import DataError
from mmduet.io.files import open_regular
from mmduet.io.pickled_arrays import STANDINS, ArrayType, PlainArray, to_plain_lists

MOST_BYTES = 2**31
# Containers inside containers; annotations have four.
DEEPEST = 32
# A value costs a byte of the file at least, unless it is told by its number, as texts are that come again.
VALUES_PER_BYTE = 4
_ATOMS = (str, int, float, bool, bytes, type(None))
_WIDEST_NUMBER = 1024


# Its attributes are not in the types of the library.
_Unpickler: Any = vars(pickle)['_Unpickler']


class _PlainUnpickler(_Unpickler):
    """Admits plain containers, text and numbers, which are written without any class, and keys that are text or numbers.

    In Python, not in C, as a key may be a tuple of tuples whose hash takes for ever. A table lists the operations.
    """

    dispatch: dict[int, Any] = dict(_Unpickler.dispatch)

    has_arrays = False

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in STANDINS:
            self.has_arrays = True
            return STANDINS[module, name]
        raise pickle.UnpicklingError(
            f'refuses to load the class {module}.{name}; only list, dict, tuple, str, int and float are admitted, and numbers '
            'and arrays of NumPy. Where you trust the file, write it again as such values, with json.dump for one')

    def _decode_string(self, value: bytes) -> str:
        # Python 2 wrote bytes: those of UTF-8 mostly, and of Latin-1 where they are none.
        try:
            return value.decode('utf-8')
        except UnicodeDecodeError:
            return value.decode('latin1')

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], ArrayType | PlainArray):
            raise pickle.UnpicklingError('only arrays of NumPy have a state')
        self.stack[-1].set_state(state)

    def load_reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if function not in STANDINS.values():
            raise pickle.UnpicklingError('calls what is no part of an array')
        self.stack[-1] = function(*arguments)

    def load_bytearray8(self) -> None:
        length, = struct.unpack('<Q', self.read(8))
        if length > MOST_BYTES:
            raise pickle.UnpicklingError(f'announces {length:,} bytes')
        self.append(bytearray(self.read(length)))  # read first: an array of the announced length may be all memory

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or not all(type(key) in _ATOMS for key in items[::2]):
            raise pickle.UnpicklingError('keys must be text or numbers')
        target.update(zip(items[::2], items[1::2], strict=True))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    for _operation in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.EXT1, pickle.EXT2, pickle.EXT4,
                       pickle.PERSID, pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
        dispatch.pop(_operation[0], None)


def require_bounded(content: Any, most: int) -> None:
    """Raise a ``DataError`` unless nested containers hold at most ``most`` values, counting each as often as it is met.

    A few bytes can say lists of the same lists, which anybody who walks through or prints them would never finish.
    """
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, argparse.Namespace):
            value = vars(value)
        elif isinstance(value, np.ndarray) and value.dtype.hasobject:
            value = value.ravel().tolist()
        if isinstance(value, dict | list | tuple):
            count += 2 * len(value) if isinstance(value, dict) else len(value)
            if count > most or depth > DEEPEST:
                raise DataError(f'containers nested more than {DEEPEST} deep, or the same ones many times')
            waiting += [(inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value)
                        if isinstance(inner, dict | list | tuple | int | argparse.Namespace | np.ndarray)]
        elif isinstance(value, int) and value.bit_length() > _WIDEST_NUMBER:
            raise DataError(f'a number of {value.bit_length()} bits')


def load_plain_pickle(path: str | Path) -> Any:
    """Load a pickle of lists, dicts, tuples, text, numbers and arrays, which become lists.

    Nothing in it is executed, and time and memory are bounded.

    Raises:
        DataError: the file is missing, empty, truncated or corrupt, or asks for any class; it has more than ``MOST_BYTES``, or
            holds more than a few bytes of it should; names the file and the class.
    """
    path = Path(path)
    try:
        with open_regular(path, MOST_BYTES) as file:
            reader = _PlainUnpickler(file)
            content = reader.load()
        require_bounded(content, VALUES_PER_BYTE * path.stat().st_size)
        return to_plain_lists(content) if reader.has_arrays else content
    except FileNotFoundError as error:
        raise DataError(f'{path} does not exist') from error
    except (pickle.UnpicklingError, DataError, OSError) as error:
        raise DataError(f'{path}: {error}') from error
    except (EOFError, ValueError, LookupError, TypeError, AttributeError, MemoryError, ArithmeticError, RecursionError,
            struct.error) as error:
        raise DataError(f'{path} is empty, corrupt or no pickle ({type(error).__name__}: {error})') from error
