"""Rows of all ranks, with the gradient sent home."""
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor

from mmduet.structures import TargetIdentity


class _AllGather(torch.autograd.Function):
    """Concatenate the rows of all ranks; the gradient of a row is the sum of what every rank has for it.

    Together with the averaging of gradients in DistributedDataParallel, the mean over ranks of a loss on gathered rows has
    the gradient that one process with all rows would compute.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.count = rows.shape[0]
        return _concatenate(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # A copy: the sum is written into it, and the gradient belongs to autograd.
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        start = get_rank() * ctx.count
        return total[start:start + ctx.count]


def _concatenate(rows: Tensor) -> Tensor:
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def require_equal_rows(count: int) -> None:
    """Compare how many rows the ranks will gather; all of them must call this, and all raise.

    A gather of unequal numbers hangs or aborts without a word. This waits for all ranks, so it is for the first step alone:
    numbers that differ later are not found.

    Raises:
        ValueError: they differ; names the number of each rank.
    """
    if get_world_size() == 1:
        return
    counts = all_gather_object(count)
    if len(set(counts)) > 1:
        said = ', '.join(f'rank {rank} has {rows}' for rank, rows in enumerate(counts))
        raise ValueError(f'all ranks must bring the same number of expressions to a loss that gathers them: {said}. Give all '
                         'the same batch size, and a sampler that rounds the data set up')


def gather_rows(rows: Tensor) -> Tensor:
    """(world size * B, ...) rows of all ranks in rank order, of (B, ...) on each; differentiable.

    Every rank must bring the same number of rows, as MMEngine's samplers make sure of by rounding the data set up. It is not
    compared here, where it would cost every step: ``require_equal_rows`` does it, which ``DUETHead`` calls at its first.
    """
    if get_world_size() == 1:
        return rows
    return _AllGather.apply(rows) if rows.requires_grad else _concatenate(rows)


def gather_identity(identity: TargetIdentity) -> TargetIdentity:
    """The expressions of all ranks, in rank order."""
    return TargetIdentity(image=gather_rows(identity.image), boxes=gather_rows(identity.boxes),
                          whole=gather_rows(identity.whole.to(torch.uint8)).bool(), view=gather_rows(identity.view))
