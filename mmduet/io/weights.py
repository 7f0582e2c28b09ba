"""Weights from files, read without running code, and what does not fit a model.

This is the one place where weights are read, also for the host's own calls (``mmduet.compat``). A PyTorch file is compared with
its checksums, then read with ``torch.load(weights_only=True)`` and one short list of harmless types. There is no fall-back: a
file that needs more is refused.
"""
import argparse
import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from mmduet.io.archives import check_archive
from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.file_kinds import describe_other_kind
from mmduet.io.files import require_regular
from mmduet.io.pickle_cost import require_cheap_hashes
from mmduet.io.pickles import VALUES_PER_BYTE, require_bounded
from mmduet.io.safetensors_files import read_safetensors
from mmduet.io.weight_keys import unwrap_keys

_SHOWN_KEYS = 4
_HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')
# What torch's own unpickler raises on a file that was cut off or changed.
_CORRUPT = (RuntimeError, EOFError, OSError, LookupError, ValueError, AttributeError, TypeError, ArithmeticError,
            AssertionError, MemoryError, struct.error, zipfile.BadZipFile)


class PlainHistoryBuffer(HistoryBuffer):
    """A ``HistoryBuffer`` that takes only numbers from a pickle; stands for the original while a file is read."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(max_length=int(state['max_length']))  # type: ignore[misc]
        self._log_history = np.asarray(state['_log_history'], dtype=np.float64)
        self._count_history = np.asarray(state['_count_history'], dtype=np.float64)


def _history_statistic(owner: Any, name: str) -> Any:
    # MMEngine pickles the methods of its history buffers, which pickle spells as a call of getattr.
    if owner is not PlainHistoryBuffer or name not in _HISTORY_STATISTICS:
        raise pickle.UnpicklingError(f'getattr({owner!r}, {name!r}) is not allowed')
    return getattr(owner, name)


def _harmless_types() -> list[Any]:
    """What is let in beside tensors, and the names under which pickles know it.

    NumPy's arrays and numbers and MMEngine's history buffers are in MMEngine's checkpoints, an ``argparse.Namespace`` is in
    those of much research code.
    """
    multiarray = import_module('numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray')
    allowed: list[Any] = [argparse.Namespace, np.ndarray, np.dtype,
                          (PlainHistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
                          (_history_statistic, 'builtins.getattr')]
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(multiarray._reconstruct, f'{module}._reconstruct'), (multiarray.scalar, f'{module}.scalar')]
    kinds = ('bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16', 'float32', 'float64')
    return allowed + [type(np.dtype(kind)) for kind in kinds]


def read_tensor_file(path: Path, map_location: Any = 'cpu') -> Any:
    """Content of a ``.safetensors`` file, a flat dict of tensors, or of a file that ``torch.save`` wrote.

    Raises:
        FileNotFoundError: no such file.
        TruncatedFileError: the file is empty or cut short, or a byte of it has changed.
        DataError: it is no regular file, is of another kind (says which), or holds objects that could run code (names one).
    """
    if kind := describe_other_kind(path):
        raise DataError(f'{path} holds no weights: it is {kind}')
    if path.suffix == '.safetensors':
        return read_safetensors(path)
    whole = check_archive(path)
    if path.stat().st_size == 0:
        raise _truncated(path, 'empty file')
    require_cheap_hashes(path, whole)
    try:
        with torch.serialization.safe_globals(_harmless_types()):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        # The rest of the message is advice to open the file all the same.
        text = str(error)
        refused = next((line for line in text.splitlines() if 'GLOBAL' in line or 'not allowed' in line), '')
        reason = (refused or text).rpartition('WeightsUnpickler error:')[2].strip().partition(' Please use')[0]
        if not refused and not whole:
            raise _truncated(path, reason) from error
        raise DataError(f'{path} holds more than tensors, numbers and text, and is not loaded because unpickling it could run '
                        f'code ({reason.splitlines()[0]})') from error
    except _CORRUPT as error:
        raise _truncated(path, str(error) or type(error).__name__) from error
    try:
        require_bounded(content, VALUES_PER_BYTE * path.stat().st_size)
    except DataError as error:
        raise DataError(f'{path} is not read: it holds {error}') from error
    return content


def read_meta(path: Path) -> dict[str, Any]:
    """``meta`` of a checkpoint, without its tensors and unchecked; empty where there is none or the file cannot be read."""
    try:
        require_regular(path)
        require_cheap_hashes(path, zipfile.is_zipfile(path))
        with torch.serialization.safe_globals(_harmless_types()):
            content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except (*_CORRUPT, pickle.UnpicklingError):  # a ``DataError`` is a ``ValueError``
        return {}
    try:
        require_bounded(content, VALUES_PER_BYTE * path.stat().st_size)
    except DataError:
        return {}
    meta = content.get('meta') if isinstance(content, dict) else None
    return meta if isinstance(meta, dict) else {}


def require_size(tensors: Mapping[str, Any], path: Path) -> None:
    """Raise a ``DataError`` for a tensor that says it is larger than its file: a view that repeats a few numbers endlessly."""
    most = path.stat().st_size
    for name, value in tensors.items():
        if isinstance(value, Tensor) and value.numel() * value.element_size() > most:
            raise DataError(f'{path}: the tensor {name!r} of shape {tuple(value.shape)} is larger than the whole file')


def _truncated(path: Path, reason: object) -> TruncatedFileError:
    return TruncatedFileError(f'{path} is truncated or corrupt ({str(reason).splitlines()[0]})')


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by key, out of ``model`` or ``state_dict`` where they lie there, without the names
    of wrappers (``unwrap_keys``).

    Raises:
        FileNotFoundError: no such file.
        DataError: as ``read_tensor_file``, or the file holds no tensors.
    """
    content = read_tensor_file(path)
    for key in ('model', 'state_dict'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise DataError(f'{path}: holds a {type(content).__name__}, not a state dict')
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise DataError(f'{path}: holds no tensor')
    require_size(tensors, path)
    try:
        return unwrap_keys(tensors)
    except DataError as error:
        raise DataError(f'{path}: {error}') from error


def describe_misfit(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """How weights differ from those of a model in keys and shapes; empty where they do not.

    >>> describe_misfit({'a': torch.ones(2)}, {'a': torch.ones(3), 'b': torch.ones(1)})
    '1 missing (b); 1 of another shape (a (2,) instead of (3,))'
    """
    problems = {
        'missing': [key for key in own if key not in weights],
        'unexpected': [key for key in weights if key not in own],
        'of another shape': [f'{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}'
                             for key in own if key in weights and weights[key].shape != own[key].shape],
    }
    return '; '.join(f'{len(keys)} {what} ({some(keys)})' for what, keys in problems.items() if keys)


def some(names: Iterable[str]) -> str:
    """The first of many names, for a message."""
    names = list(names)
    return ', '.join(names[:_SHOWN_KEYS]) + (', ...' if len(names) > _SHOWN_KEYS else '')
