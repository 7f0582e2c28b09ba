"""Checkpoint files: read without running code, written so that a kill leaves the old one, fitted to a model strictly."""
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from mmduet.engine.pretraining import meta_of
from mmduet.io.config_files import nearest
from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.failures import describe_failure
from mmduet.io.files import replacing
from mmduet.io.safetensors_files import read_metadata
from mmduet.io.text import counted, read_json
from mmduet.io.weight_keys import unwrap_keys
from mmduet.io.weights import describe_misfit, read_meta, read_tensor_file, require_size, some

STUDENT_PREFIX = 'student.'
POINTER = 'last_checkpoint'
RECORD = 'checkpoints.json'
BEST = re.compile(r'best_[^/\\]{1,100}_(epoch|iter)_\d{1,12}\.pth')
RESUMABLE = re.compile(r'(epoch|iter)_\d{1,12}\.pth')
# BERT's positions: transformers stored them until 2023 and computes them since, so that no model of ours has them.
COMPUTED_TABLE = 'embeddings.position_ids'


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used as asked; the message says why and what to do."""


class UnreadableCheckpointError(CheckpointError):
    """A file that cannot be read as a checkpoint; where training resumes by itself, the one before it is tried."""


class CorruptCheckpointError(UnreadableCheckpointError):
    """A checkpoint that is truncated or corrupt: a write was interrupted, a copy failed, or a byte has changed."""


class CheckpointMismatchError(CheckpointError):
    """A checkpoint of another model."""


def read_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a ``.pth`` or ``.safetensors`` file; a bare state dict comes back under ``'state_dict'``.

    Of the metadata of a safetensors file, ``'meta'`` has what they say of the pre-training.

    Raises:
        FileNotFoundError: no such file; names its neighbours.
        CorruptCheckpointError: the file is empty, cut short or damaged: a single bit that changed is enough.
        UnreadableCheckpointError: the file holds objects that could run code, or no weights.
    """
    path = Path(path)
    if path.is_dir():
        raise FileNotFoundError(f'the checkpoint {path} is a folder: name a file in it')
    if not path.is_file():
        near = nearest(path.name, (file.name for file in path.parent.glob('*')))
        web = '; download it and give the local path' if ':/' in str(path) else ''
        raise FileNotFoundError(f'there is no checkpoint {path}{near}{web}')
    try:
        checkpoint = read_tensor_file(path, map_location)
        meta = meta_of(read_metadata(path)) if path.suffix == '.safetensors' else {}
    except TruncatedFileError as error:
        raise CorruptCheckpointError(f'{error}: its writing or copying was interrupted; use the checkpoint before it, or '
                                     '--resume without a path, which finds the last complete one') from None
    except (DataError, OSError) as error:
        raise UnreadableCheckpointError(str(error)) from None
    if not isinstance(checkpoint, dict):
        raise UnreadableCheckpointError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint')
    if not isinstance(checkpoint.get('state_dict'), dict):
        if not any(isinstance(value, Tensor) for value in checkpoint.values()):
            raise UnreadableCheckpointError(f'{path} holds no weights; its keys are {some(map(str, checkpoint))}. A checkpoint '
                                            'in another layout must be converted first (mmduet convert)')
        checkpoint = {'state_dict': checkpoint}
    if not isinstance(checkpoint.setdefault('meta', meta), dict):
        raise UnreadableCheckpointError(f'{path}: meta is no mapping')
    try:
        require_size(checkpoint['state_dict'], path)
    except DataError as error:
        raise UnreadableCheckpointError(str(error)) from None
    return checkpoint


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a file in one step: a kill, and a ``CheckpointError`` if the disk refuses, leave the old file or the new one."""
    try:
        with replacing(Path(path)) as partial, partial.open('wb') as file:
            torch.save(dict(checkpoint), file)
    except (OSError, RuntimeError) as error:
        # PyTorch says where in the file it was when the disk refused; why, says the error that it came across.
        refused = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = describe_failure(refused, str(path)) or f'{path} could not be written ({error})'
        raise CheckpointError(f'{reason}. The checkpoints before it are intact') from error


def first_non_finite(model: nn.Module) -> str | None:
    """Name of the first trainable parameter with a NaN or an infinity."""
    for name, value in model.named_parameters():
        # A sum of finite values may overflow, so a suspicious tensor is checked again; the rest costs one pass without a copy.
        if value.requires_grad and not value.detach().sum().isfinite() and not value.detach().isfinite().all():
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
        return (tuple if type(value) is tuple else list)(to_plain(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str | bytes | Tensor):
        return value
    return str(value)


def restore_history(message_hub: dict[str, Any]) -> dict[str, Any]:
    """Turn the plain scalars of a saved message hub back into history buffers; others pass."""
    scalars = dict(message_hub.get('log_scalars', {}))
    for key, value in scalars.items():
        if isinstance(value, dict):
            scalars[key] = buffer = HistoryBuffer(max_length=int(value['max_length']))
            buffer._log_history, buffer._count_history = (value[f'{kind}_history'].cpu().numpy() for kind in ('log', 'count'))
    return {**message_hub, 'log_scalars': scalars}


def position_of(meta: Mapping[str, Any]) -> tuple[int, int] | None:
    """The finished epochs and the steps of a checkpoint, by its ``meta``; a later one has more. None where one is not said.

    Epochs count first: with larger batches an epoch, and with it the training from then on, has fewer steps.
    """
    epochs, steps = meta.get('epoch'), meta.get('iter')
    return (epochs, steps) if type(epochs) is int and type(steps) is int else None


def resume_candidates(work_dir: Path, run: str | None = None) -> list[Path]:
    """Checkpoints of a work folder in the order to try: those of a run first, the latest first.

    Epochs and steps are what a file itself says, so that copies, clocks and a pointer that was not written do not matter. One
    that cannot say both is tried first, and then named as unreadable. Without ``run`` all are of one.
    """
    def key(path: Path) -> tuple[bool, tuple[int, int], str]:
        meta = read_meta(path)
        return run is None or meta.get('run') in (run, None), position_of(meta) or (sys.maxsize, sys.maxsize), path.name

    found = [path for path in sorted(work_dir.glob('*.pth')) if RESUMABLE.fullmatch(path.name)]
    return sorted(found, key=key, reverse=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """What ``checkpoints.json`` of a folder says: ``run``, the names ``kept``, the ``best``, the step ``validated`` last.

    None where there is none or it cannot be read. Names that are not those of checkpoints are left out: what stands there is
    deleted one day.
    """
    try:
        record = read_json(folder / RECORD)
    except DataError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get('kept'), list):
        return None
    run, best = record.get('run'), record.get('best')
    good = isinstance(best, dict) and type(best.get('score')) is float and BEST.fullmatch(str(best.get('file'))) is not None
    return {'run': run if isinstance(run, str) else None, 'best': best if good else None, 'validated': record.get('validated'),
            'kept': [name for name in record['kept'] if isinstance(name, str) and RESUMABLE.fullmatch(name)]}


def check_resumable(checkpoint: Mapping[str, Any], source: str | Path) -> None:
    """Raise a ``CheckpointError`` if a checkpoint holds weights only (the best one, a converted one), no state of training."""
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
    own = model.state_dict()
    fitted = unwrap_keys({key: value for key, value in state_dict.items() if not key.endswith(COMPUTED_TABLE)}, own)
    student = unwrap_keys({key.removeprefix(STUDENT_PREFIX): value for key, value in fitted.items()
                           if key.startswith(STUDENT_PREFIX)})
    head = {key: value for key, value in own.items() if not key.startswith(STUDENT_PREFIX)}
    if student and len(head) == len(own):
        return student, (f'a distilled checkpoint: took its student and left {counted(len(fitted) - len(student), "tensor")} '
                         'of the distillation head')
    if not student and any(STUDENT_PREFIX + key in own for key in fitted):
        filled = {STUDENT_PREFIX + key: value for key, value in fitted.items()}
        return filled | head, f'a plain checkpoint: filled the student; {len(head)} tensors of the distillation head start anew'
    return fitted, None


def load_strictly(model: nn.Module, state_dict: Mapping[str, Tensor], source: str | Path, strict: bool = True) -> None:
    """Load weights that must fit exactly the model's own ``state_dict()``.

    What a model leaves out of its state dict (a frozen teacher) stays as it is. Without ``strict``, what fits is loaded; with
    it, a ``CheckpointMismatchError`` names the first keys that are missing, unexpected or of another shape, and counts them.
    """
    own = model.state_dict()
    if strict and (misfit := describe_misfit(state_dict, own)):
        raise CheckpointMismatchError(f'{source} is a checkpoint of another model than {type(model).__name__}: {misfit}')
    fitting = {key: value for key, value in state_dict.items() if key in own and value.shape == own[key].shape}
    model.load_state_dict(fitting, strict=False)
