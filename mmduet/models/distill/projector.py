"""From the student's width to the teacher's."""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.registry import MODELS
from mmduet.structures import pool_regions


class Projector(nn.Module):
    """Two layers C -> C -> D, and unit norm; owned by a distillation head, absent from prediction.

    Args:
        channels: C.
        embed_dims: D.
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, embed_dims))

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D) of unit norm."""
        return F.normalize(self.layers(features), dim=-1)


@MODELS.register_module()
class RegionProjector(Projector):
    """Embed boxes by what the student's map shows inside them: pooled, then projected."""

    def embed(self, visual: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) map and (B, K, 4) cxcywh boxes in [0, 1] of it to (B, K, D) of unit norm."""
        embedded: Tensor = self(pool_regions(visual, boxes))
        return embedded


@MODELS.register_module()
class LocatedRegionProjector(RegionProjector):
    """Embed boxes by what the map shows inside them and by where they are.

    Two objects that look alike are one to a projector that reads the map alone, and an expression such as "the leftmost star"
    tells them apart by place only. Our choice.

    Args:
        channels: C.
        embed_dims: D.
        octaves: waves per coordinate, the longest as long as the picture, each next half as long; at least 1.

    Raises:
        ValueError: ``octaves`` is below 1.
    """

    def __init__(self, channels: int, embed_dims: int, octaves: int = 4) -> None:
        super().__init__(channels, embed_dims)
        if octaves < 1:
            raise ValueError(f'octaves must be at least 1, got {octaves}')
        self.octaves = octaves
        self.place = nn.Linear(4 * 2 * octaves, channels)

    def embed(self, visual: Tensor, boxes: Tensor) -> Tensor:
        """See ``RegionProjector.embed``; differentiable in the boxes."""
        embedded: Tensor = self(pool_regions(visual, boxes) + self.place(encode_boxes(boxes, self.octaves)))
        return embedded


def encode_boxes(boxes: Tensor, octaves: int) -> Tensor:
    """Sines and cosines (..., 8 * octaves) of (..., 4) coordinates in [0, 1]."""
    angles = boxes[..., None] * (2 * math.pi * 2 ** torch.arange(octaves, device=boxes.device, dtype=boxes.dtype))
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
