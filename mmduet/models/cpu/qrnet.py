"""QRNet's query-modulated attention and pyramid, with fewer passes over its finest maps."""
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from mmduet.models.cpu.linear import linear
from mmduet.models.layers.query_modulated_attention import QueryModulatedAttention
from mmduet.models.students.qrnet import QRNet


class CPUQueryModulatedAttention(QueryModulatedAttention):
    """``QueryModulatedAttention`` that weighs the positions of a map without making the map whose channels are weighed."""

    def forward(self, tokens: Tensor, query: Tensor) -> Tensor:
        """See ``QueryModulatedAttention.forward``."""
        if tokens.device.type != 'cpu':
            return super().forward(tokens, query)
        channels, positions = self.weigh(tokens, query)
        gated: Tensor = tokens * channels
        # Not kept where nothing is learnt.
        return gated * positions if torch.is_grad_enabled() else gated.mul_(positions)

    def weigh(self, tokens: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, C) weights of the channels and (B, N, 1) of the positions, in (0, 1), for (B, N, C) tokens."""
        channels = self.channel_gate(tokens, query)
        weights = self.spatial.weights(query)
        matrix = weights[:, :-1] * channels.transpose(1, 2)
        return channels, torch.baddbmm(weights[:, -1:], tokens, matrix.to(tokens.dtype)).sigmoid()


class CPUQRNet(QRNet):
    """``QRNet`` whose pyramid takes one pass over memory for each step, channels last throughout."""

    def pyramid(self, maps: list[Tensor], query: Tensor) -> list[Tensor]:
        """See ``QRNet.pyramid``."""
        if query.device.type != 'cpu':
            return super().pyramid(maps, query)
        laterals: Any = self.laterals
        levels = [linear(level.permute(0, 2, 3, 1), lateral.weight.flatten(1), lateral.bias)
                  for lateral, level in zip(laterals, maps, strict=True)]
        for fine, coarse in reversed(list(pairwise(range(len(levels))))):
            quads, above = _quads(levels[fine]), levels[coarse][:, :, None, :, None]
            # In place where nothing is learnt: the finest level would take long to get from the system twice.
            levels[fine] = (quads + above if torch.is_grad_enabled() else quads.add_(above)).view_as(levels[fine])
        for number, gate in enumerate(self.pool_gates):
            level = levels[number]
            channels, positions = gate.weigh(level.flatten(1, 2), query)
            levels[number + 1] = levels[number + 1] + _pool_gated(level, channels, positions.view(*level.shape[:3], 1))
        levels.append(levels[-1][:, ::2, ::2])
        return [level.permute(0, 3, 1, 2) for level in levels]


def _quads(level: Tensor) -> Tensor:
    """(B, H / 2, 2, W / 2, 2, C) neighbours of a (B, H, W, C) map."""
    return level.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))


def _pool_gated(level: Tensor, channels: Tensor, positions: Tensor) -> Tensor:
    """(B, H / 2, W / 2, C) means of 2 x 2 positions of a (B, H, W, C) map that is gated by its channels and positions.

    The gated map itself is never made.
    """
    corners = [(row, column) for row in range(2) for column in range(2)]
    neighbours, weights = ([quads[:, :, row, :, column] for row, column in corners]
                           for quads in (_quads(level), _quads(positions)))
    pooled = neighbours[0] * weights[0]
    for neighbour, weight in zip(neighbours[1:], weights[1:], strict=True):
        pooled = torch.addcmul(pooled, neighbour, weight)
    return pooled * (channels[:, None] / 4)
