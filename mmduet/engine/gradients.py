"""Gradients: what a checkpoint must hold of those that are summed between two updates, and clipping without waiting."""
from collections.abc import Callable, Sequence
from logging import LogRecord
from typing import Any, TypeVar

import torch
import torch.distributed as torch_dist
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

Gradients = dict[str, Tensor]
State = TypeVar('State')
# Of MMEngine's, when training resumes between two updates.
_WARNING = 'Resumed iteration number is not divisible'


def is_updated(optim_wrapper: OptimWrapper) -> bool:
    """Whether the weights were updated in the last step, so that no gradients are kept for the next."""
    return bool(optim_wrapper.should_update())


def count_updates_to(optim_wrapper: OptimWrapper, steps: int) -> None:
    """Let the last update be that of step ``steps``, though training may stop before, and go on.

    MMEngine would make the last step before a stop an update too, of fewer steps than the others.
    """
    optim_wrapper._max_counts = steps
    optim_wrapper._remainder_counts = steps % optim_wrapper._accumulative_counts


def collect_gradients(model: nn.Module, group: Any = None) -> list[Gradients]:
    """The gradients of every rank by name, on the first rank; others get an empty list; all must call it.

    Ranks sum gradients apart until the update, so that those of one do not do for all.

    Args:
        group: process group to send them over, one of CPUs where there is one.
    """
    own = {name: value.grad.cpu() for name, value in model.named_parameters() if value.grad is not None}
    if not (torch_dist.is_available() and torch_dist.is_initialized()) or torch_dist.get_world_size() == 1:
        return [own]
    first = torch_dist.get_rank() == 0
    gathered: list[Gradients] = [{}] * torch_dist.get_world_size() if first else []
    torch_dist.gather_object(own, gathered if first else None, dst=0, group=group)
    return gathered


def restore_gradients(model: nn.Module, gradients: Gradients) -> None:
    """Go on summing from the gradients of ``collect_gradients``."""
    for name, value in model.named_parameters():
        if name in gradients:
            value.grad = gradients[name].to(value.device, copy=True)


class DeferredNorms:
    """The ``clip_func`` of an optimizer wrapper, whose norms stay on the device until they are asked for.

    MMEngine turns each into a number at once, for which every update waits for the device. With ``error_if_nonfinite=True``
    PyTorch itself waits.
    """

    def __init__(self, clip: Callable[..., Tensor | None]) -> None:
        self._clip = clip
        self._norms: list[Tensor] = []

    def __call__(self, parameters: Sequence[Tensor], **options: Any) -> None:
        """Clip, and say nothing of the norm yet."""
        norm = self._clip(parameters, **options)
        if norm is not None:  # clipping by value has none
            self._norms.append(norm.detach())

    def take(self) -> list[float]:
        """The norms since the last call, in one copy."""
        norms, self._norms = self._norms, []
        return torch.stack(norms).tolist() if norms else []


def defer_norms(optim_wrapper: Any) -> DeferredNorms | None:
    """Let a wrapper clip by a ``DeferredNorms``, once, and return that; None where it does not clip."""
    if not getattr(optim_wrapper, 'clip_grad_kwargs', None):
        return None
    if not isinstance(optim_wrapper.clip_func, DeferredNorms):
        optim_wrapper.clip_func = DeferredNorms(optim_wrapper.clip_func)
    deferred: DeferredNorms = optim_wrapper.clip_func
    return deferred


def tells_no_loss(record: LogRecord) -> bool:
    """A filter of a logger: leaves out MMEngine's warning that gradients are lost, where they are not."""
    return not record.getMessage().startswith(_WARNING)


def of_rank(states: Sequence[State] | None, rank: int, world_size: int) -> State | None:
    """What a checkpoint has of a rank; None where it has none, or has those of another number of ranks."""
    return states[rank] if states is not None and len(states) == world_size else None
