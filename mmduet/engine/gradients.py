"""Gradients that are being summed between two updates: what else a checkpoint must hold there, to resume exactly."""
from collections.abc import Sequence
from logging import LogRecord
from typing import Any, TypeVar

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


def tells_no_loss(record: LogRecord) -> bool:
    """A filter of a logger: leaves out MMEngine's warning that gradients are lost, where they are not."""
    return not record.getMessage().startswith(_WARNING)


def of_rank(states: Sequence[State] | None, rank: int, world_size: int) -> State | None:
    """What a checkpoint has of a rank; None where it has none, or has those of another number of ranks."""
    return states[rank] if states is not None and len(states) == world_size else None
