"""A check of losses: MMEngine adds up what has ``loss`` in its name, and passes over the rest in silence."""
from collections.abc import Mapping

import torch
from torch import Tensor


def check_losses(losses: object, source: str) -> None:
    """Refuse losses that would not be trained, or could not.

    Args:
        losses: what ``source`` returned.
        source: who returned it, for the message.

    Raises:
        TypeError: no mapping from names to tensors (or lists of tensors).
        ValueError: none is called a loss, one with a gradient is not, or none has a gradient where gradients are asked for.

    >>> check_losses({'bbox': torch.ones(1, requires_grad=True)}, 'MyGrounder.loss')
    Traceback (most recent call last):
    ValueError: MyGrounder.loss: 'bbox' has no "loss" in its name, so that it would not be trained: call it 'loss_bbox'
    """
    if not isinstance(losses, Mapping):
        raise TypeError(f"{source} must return a mapping from names to scalars, as {{'loss_bbox': ...}}, got "
                        f'{type(losses).__name__}')
    trained = False
    for name, value in losses.items():
        if not isinstance(value, Tensor) and not (isinstance(value, list) and all(isinstance(one, Tensor) for one in value)):
            raise TypeError(f'{source}: {name!r} must be a tensor, got {type(value).__name__}')
        has_gradient = any(one.requires_grad for one in (value if isinstance(value, list) else [value]))
        if has_gradient and 'loss' not in name:
            raise ValueError(f'{source}: {name!r} has no "loss" in its name, so that it would not be trained: call it '
                             f"'loss_{name}'")
        trained |= has_gradient
    if not any('loss' in name for name in losses):
        raise ValueError(f'{source} returned no loss, only {", ".join(map(repr, losses)) or "nothing"}')
    if torch.is_grad_enabled() and not trained:
        raise ValueError(f'{source}: no loss has a gradient: are all weights frozen, or is something detached (.item(), '
                         '.detach(), torch.no_grad())?')
