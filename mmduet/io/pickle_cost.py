"""What it would cost to hash what a pickle holds, told from its operations alone.

A tuple may hold a tuple twice by its number, that one another twice, and so on: sixty such lines stand for 2 ** 60 values, and
a dictionary that takes the last as a key never ends. PyTorch's reader of weights is not safe from that.
"""
import io
import pickletools
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from mmduet.io.errors import DataError

# Values of tuples that may be met again by their number, in all. Checkpoints have a few, as the betas of an optimizer.
MOST_REPEATED = 10**7
# The older format of PyTorch is five pickles, one after the other, before the numbers.
_PICKLES = 5
_FETCHING, _NAMING = ('GET', 'BINGET', 'LONG_BINGET'), ('PUT', 'BINPUT', 'LONG_BINPUT')
_TUPLES = ('TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'FROZENSET')


def require_cheap_hashes(path: Path, is_archive: bool) -> None:
    """Raise a ``DataError`` for a file of PyTorch whose tuples repeat each other without bound.

    What is no pickle, or a broken one, passes: whoever reads it says so.
    """
    try:
        if is_archive:
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith('.pkl'):
                        _require_cheap(io.BytesIO(archive.read(name)), path)
        else:
            with path.open('rb') as file:
                for _ in range(_PICKLES):
                    _require_cheap(file, path)
    except (ValueError, LookupError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise


def _require_cheap(file: BinaryIO, path: Path) -> None:
    # Values in each thing on the stack, 1 for all but tuples; None is a mark.
    stack: list[int | None] = []
    memo: dict[int, int] = {}
    repeated = 0
    argument: Any
    for operation, argument, _ in pickletools.genops(file):
        name = operation.name
        if name == 'MARK':
            stack.append(None)
        elif name in _FETCHING or name == 'DUP':
            size = stack[-1] if name == 'DUP' else memo[argument]
            repeated += size or 0
            if repeated > MOST_REPEATED:
                raise DataError(f'{path} is not read: it repeats tuples in each other more than {MOST_REPEATED:,} times')
            stack.append(size)
        elif name in _NAMING or name == 'MEMOIZE':
            memo[len(memo) if name == 'MEMOIZE' else argument] = stack[-1] or 0
        else:
            sizes = _pop(stack, operation)
            stack += [1 + sum(sizes) if name in _TUPLES else 1] * len(operation.stack_after)


def _pop(stack: list[int | None], operation: pickletools.OpcodeInfo) -> list[int]:
    """Take from the stack what an operation takes."""
    sizes: list[int] = []
    before = list(operation.stack_before)
    if pickletools.markobject in before:
        while (size := stack.pop()) is not None:
            sizes.append(size)
        before = before[:before.index(pickletools.markobject)]
    for _ in before:
        sizes.append(stack.pop() or 0)
    return sizes
