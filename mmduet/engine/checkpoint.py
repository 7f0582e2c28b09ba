"""Checkpoint files: read without running code, written so that a kill leaves the old one, fitted to a model strictly.

A file is read with ``torch.load(weights_only=True)`` and a short list of harmless types, those that MMEngine's own
checkpoints hold. There is no fall-back: a file that needs more is refused.
"""
import os
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

STUDENT_PREFIX = 'student.'
PARTIAL_SUFFIX = '.partial'
# BERT's positions: transformers stored them until 2023 and computes them since, so that no model of ours has them.
COMPUTED_TABLE = 'embeddings.position_ids'
_HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')
_SHOWN_KEYS = 4


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used as asked; the message says why and what to do."""


class TornCheckpointError(CheckpointError):
    """A file that is cut short or overwritten: a write was interrupted, or a copy failed."""


class CheckpointMismatchError(CheckpointError):
    """A checkpoint of another model."""


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


def _harmless_globals() -> list[Any]:
    """Types that MMEngine's checkpoints hold beside tensors, and the names under which pickles know them."""
    multiarray = import_module('numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray')
    allowed: list[Any] = [np.ndarray, np.dtype,
                          (PlainHistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
                          (_history_statistic, 'builtins.getattr')]
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(multiarray._reconstruct, f'{module}._reconstruct'), (multiarray.scalar, f'{module}.scalar')]
    kinds = ('bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float16', 'float32', 'float64')
    return allowed + [type(np.dtype(kind)) for kind in kinds]


def read_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` file; a bare state dict comes back under ``'state_dict'``.

    Raises:
        FileNotFoundError: no such file; names its neighbours.
        TornCheckpointError: the file is empty, cut short or damaged.
        CheckpointError: the file holds objects that could run code, or no weights.
    """
    path = Path(path)
    if not path.is_file():
        near = get_close_matches(path.name, [f.name for f in path.parent.glob('*')] if path.parent.is_dir() else [], n=3)
        hint = f'; in the same folder: {", ".join(near)}' if near else ''
        web = '; download it and give the local path' if '://' in str(path) or ':/' in str(path) else ''
        raise FileNotFoundError(f'there is no checkpoint {path}{hint}{web}')
    checkpoint = _read_safetensors(path) if path.suffix == '.safetensors' else _read_torch(path, map_location)
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint')
    if 'state_dict' not in checkpoint:
        if not any(isinstance(value, Tensor) for value in checkpoint.values()):
            raise CheckpointError(f'{path} holds no weights; its keys are {_some(checkpoint)}. A checkpoint in another '
                                  'layout must be converted first (tools/model_converters)')
        checkpoint = {'state_dict': checkpoint}
    checkpoint.setdefault('meta', {})
    return checkpoint


def _torn(path: Path, reason: object) -> TornCheckpointError:
    return TornCheckpointError(f'{path} is torn ({reason}): its writing or copying was interrupted; use the checkpoint before '
                               'it, or --resume without a path, which finds the last complete one')


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return {'state_dict': load_file(path)}
    except SafetensorError as error:
        raise _torn(path, error) from None


def _read_torch(path: Path, map_location: Any) -> Any:
    if path.stat().st_size == 0:
        raise _torn(path, 'empty file')
    try:
        with torch.serialization.safe_globals(_harmless_globals()):
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error)
        if not zipfile.is_zipfile(path) and 'GLOBAL' not in text:
            raise _torn(path, text.splitlines()[0]) from None
        reason = next((line for line in text.splitlines() if 'GLOBAL' in line or 'not allowed' in line), text)
        raise CheckpointError(f'{path} holds more than weights, numbers and text, and is not loaded because unpickling it '
                              f'could run code ({reason.strip()})') from None
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile, KeyError, ValueError, IndexError) as error:
        raise _torn(path, (str(error).splitlines() or [type(error).__name__])[0]) from None


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write to a temporary file, flush it to the disk, and put it in place in one step.

    A kill at any moment leaves either the old file or the new one under ``path``.

    Raises:
        CheckpointError: the disk refuses; nothing under ``path`` has changed.
    """
    path = Path(path)
    partial = path.with_name(f'.{path.name}.{os.getpid()}{PARTIAL_SUFFIX}')
    try:
        with partial.open('wb') as file:
            torch.save(dict(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f'{path} could not be written ({error}); the checkpoints before it are intact') from error
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == 'posix':
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}{PARTIAL_SUFFIX}')
    partial.write_text(text, encoding='utf-8')
    partial.replace(path)


def first_non_finite(model: nn.Module) -> str | None:
    """Name of the first trainable parameter with a NaN or an infinity."""
    for name, value in model.named_parameters():
        # A sum of finite values may overflow, so a suspicious one is looked at again; the rest costs one pass without a copy.
        if value.requires_grad and not torch.isfinite(value.detach().sum()) and not torch.isfinite(value.detach()).all():
            return name
    return None


def to_plain(value: Any) -> Any:
    """Replace history buffers and NumPy values by tensors, numbers and containers of them, which any reader accepts."""
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {'log_history': torch.from_numpy(np.array(log, dtype=np.float64)),
                'count_history': torch.from_numpy(np.array(count, dtype=np.float64)), 'max_length': value.max_length}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in 'biuf' else value.tolist()
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_plain(item) for item in value) if type(value) in (list, tuple) else [to_plain(i) for i in value]
    if value is None or isinstance(value, bool | int | float | str | bytes | Tensor):
        return value
    return str(value)


def restore_history(message_hub: dict[str, Any]) -> dict[str, Any]:
    """Turn the plain scalars of a saved message hub back into history buffers; others pass."""
    scalars = {}
    for key, value in message_hub.get('log_scalars', {}).items():
        if isinstance(value, dict):
            buffer = HistoryBuffer(max_length=int(value['max_length']))
            buffer._log_history = value['log_history'].cpu().numpy()
            buffer._count_history = value['count_history'].cpu().numpy()
            value = buffer
        scalars[key] = value
    return {**message_hub, 'log_scalars': scalars}


def check_resumable(checkpoint: Mapping[str, Any], source: str | Path) -> None:
    """See that a checkpoint holds a state of training, not only weights.

    Raises:
        CheckpointError: it holds weights only (the best checkpoint, a converted one).
    """
    absent = [key for key in ('optimizer', 'message_hub') if key not in checkpoint]
    absent += [f'meta.{key}' for key in ('epoch', 'iter') if key not in checkpoint['meta']]
    if absent:
        raise CheckpointError(f'{source} has no {", ".join(absent)}: it holds weights, not a state of training. Start from '
                              'them with --load-from')


def fit_to_model(state_dict: Mapping[str, Tensor], model: nn.Module) -> tuple[dict[str, Tensor], str | None]:
    """Rename the keys of a checkpoint to those of a model, where one is distilled and the other plain.

    Returns:
        The state dict, and a sentence saying what was done, or None where nothing was. A distilled checkpoint gives its
        student to a plain model; a plain one fills the student of a distilled model, whose head keeps its values.
    """
    fitted = {key.removeprefix('module.'): value for key, value in state_dict.items() if not key.endswith(COMPUTED_TABLE)}
    own = model.state_dict()
    has_student = any(key.startswith(STUDENT_PREFIX) for key in fitted)
    wants_student = any(key.startswith(STUDENT_PREFIX) for key in own)
    if has_student and not wants_student:
        dropped = sum(not key.startswith(STUDENT_PREFIX) for key in fitted)
        fitted = {key.removeprefix(STUDENT_PREFIX): value for key, value in fitted.items() if key.startswith(STUDENT_PREFIX)}
        return fitted, f'a distilled checkpoint: took its student and left {dropped} tensors of the distillation head'
    if wants_student and not has_student and _looks_like(fitted, own, STUDENT_PREFIX):
        fitted = {STUDENT_PREFIX + key: value for key, value in fitted.items()}
        head = {key: value for key, value in own.items() if not key.startswith(STUDENT_PREFIX)}
        return fitted | head, f'a plain checkpoint: filled the student; {len(head)} tensors of the distillation head start anew'
    return fitted, None


def _looks_like(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor], prefix: str) -> bool:
    return any(prefix + key in own for key in state_dict)


def load_strictly(model: nn.Module, state_dict: Mapping[str, Tensor], source: str | Path, strict: bool = True) -> None:
    """Load weights that must fit exactly the model's own ``state_dict()``.

    What a model leaves out of its state dict (a frozen teacher) is neither wanted nor touched. Without ``strict``, what fits
    is loaded.

    Raises:
        CheckpointMismatchError: lists the first keys that are missing, unexpected or of another shape, and counts them.
    """
    own = model.state_dict()
    missing = [key for key in own if key not in state_dict]
    unexpected = [key for key in state_dict if key not in own]
    reshaped = [key for key in own if key in state_dict and own[key].shape != state_dict[key].shape]
    if strict and (missing or unexpected or reshaped):
        shapes = [f'{key} {tuple(state_dict[key].shape)} instead of {tuple(own[key].shape)}' for key in reshaped]
        parts = [f'{len(found)} {what} ({_some(found)})' for what, found in
                 (('missing', missing), ('unexpected', unexpected), ('of another shape', shapes)) if found]
        raise CheckpointMismatchError(f'{source} is a checkpoint of another model than {type(model).__name__}: '
                                      + '; '.join(parts))
    fitting = {key: value for key, value in state_dict.items() if key in own and key not in reshaped}
    model.load_state_dict(fitting, strict=False)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ', '.join(names[:_SHOWN_KEYS]) + (', ...' if len(names) > _SHOWN_KEYS else '')
