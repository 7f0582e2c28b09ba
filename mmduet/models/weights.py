"""Weights of a file moved into a model, with a report of what did not fit."""
from collections.abc import Callable, Mapping
from pathlib import Path

from mmengine.logging import print_log
from torch import Tensor, nn

from mmduet.io.files import find_file
from mmduet.io.weights import describe_misfit, read_weights


def require_fit(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Raise a ``ValueError`` if a top-level part of the weights does not fit the model's, name by name and shape by shape."""
    parts = {key.split('.')[0] for key in weights}
    # A counter of batch norm that nothing uses and that many files lack.
    own = {key: value for key, value in model.state_dict().items()
           if key.split('.')[0] in parts and (key in weights or not key.endswith('num_batches_tracked'))}
    if misfit := describe_misfit(weights, own):
        raise ValueError(f'{path} does not fit {type(model).__name__}: {misfit}')


def load_partial_weights(model: nn.Module, path: str | Path | None,
                         rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None) -> None:
    """Load what a file has for a model; whole top-level parts may be missing, a part may not be half there.

    None for ``path`` leaves the model as it is. ``rename`` is applied to what the file holds, where that may have another
    layout than ours.
    """
    if path is None:
        return
    try:
        weights: Mapping[str, Tensor] = read_weights(find_file(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error}. Make it with mmduet convert, '
                                'or run with --no-pretrained for random weights.') from error
    weights = rename(weights) if rename else weights
    require_fit(model, weights, path)
    model.load_state_dict(weights, strict=False)
    parts = sorted({key.split('.')[0] for key in weights})
    model.loaded_from = dict.fromkeys(parts, str(path))  # type: ignore[assignment]  # what a training says of its beginning
    print_log(f'{path}: loaded {", ".join(parts)} ({len(weights)} tensors)', logger='current')
