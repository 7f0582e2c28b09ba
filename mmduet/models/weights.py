"""Weights from files: read without executing anything, moved into a model with a report of what did not fit."""
import argparse
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from mmengine.logging import print_log
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmduet.paths import find_file


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file or of a PyTorch checkpoint, unwrapped from ``model`` or ``state_dict``.

    A checkpoint is unpickled with ``weights_only``; besides tensors only an ``argparse.Namespace`` is let in, which authors
    of research code store and which runs nothing.

    Raises:
        FileNotFoundError: no such file.
        ValueError: torn, not a checkpoint, or holding what may not be unpickled; names the file.
    """
    path = find_file(path)
    try:
        if path.suffix == '.safetensors':
            return {key.removeprefix('module.'): value for key, value in load_file(path).items()}
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'{path}: not a whole checkpoint of plain tensors ({reason})') from error
    for key in ('model', 'state_dict'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f'{path}: holds a {type(content).__name__}, not a state dict')
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f'{path}: holds no tensor')
    return {key.removeprefix('module.'): value for key, value in tensors.items()}


def require_fit(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse weights of which a top-level part does not fit the model's, name by name and shape by shape.

    Raises:
        ValueError: names and shapes of a part disagree; counts them and names the first.
    """
    parts = {key.split('.')[0] for key in weights}
    own = {key: value for key, value in model.state_dict().items() if key.split('.')[0] in parts}
    # A counter of batch norm that nothing reads and that many files lack.
    missing = sorted(key for key in own.keys() - weights.keys() if not key.endswith('num_batches_tracked'))
    unexpected = sorted(weights.keys() - own.keys())
    mismatched = [f'{key} {tuple(weights[key].shape)} for {tuple(own[key].shape)}'
                  for key in sorted(own.keys() & weights.keys()) if own[key].shape != weights[key].shape]
    if missing or unexpected or mismatched:
        raise ValueError(f'{path} does not fit {type(model).__name__}: ' + '; '.join(
            f'{len(keys)} {what} ({", ".join(keys[:3])}{", ..." if len(keys) > 3 else ""})'
            for what, keys in (('missing', missing), ('unexpected', unexpected), ('of another shape', mismatched)) if keys))


def load_partial_weights(model: nn.Module, path: str | Path,
                         rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None) -> None:
    """Load what a file has for a model; whole top-level parts may be missing, a part may not be half there.

    Args:
        model: to load into; weights of half precision become those of its own.
        path: of the file.
        rename: applied to what the file holds, where that may have another layout than ours.

    Raises:
        FileNotFoundError: no such file; says how to make it or to run without.
        ValueError: names and shapes of a part disagree.
    """
    try:
        weights: Mapping[str, Tensor] = read_weights(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error}. Make it with tools/model_converters/convert_checkpoint.py, '
                                'or run with --no-pretrained for random weights.') from error
    weights = rename(weights) if rename else weights
    require_fit(model, weights, path)
    model.load_state_dict(weights, strict=False)
    parts = sorted({key.split('.')[0] for key in weights})
    print_log(f'{path}: loaded {", ".join(parts)} ({len(weights)} tensors)', logger='current')
