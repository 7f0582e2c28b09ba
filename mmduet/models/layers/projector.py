"""From the width of a student to that of an embedding space."""
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.structures.regions import pool_parts

# Of a region, along each side.
PARTS = 3


class Projector(nn.Module):
    """Two layers from the C ``channels`` of the student to the D ``embed_dims`` of the teacher, and unit norm.

    >>> import torch
    >>> from mmduet.models.layers import Projector
    >>> embedded = Projector(channels=64, embed_dims=512)(torch.rand(2, 7, 64))
    >>> tuple(embedded.shape), round(embedded[0, 0].norm().item(), 4)
    ((2, 7, 512), 1.0)
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, embed_dims))

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D) of unit norm."""
        return F.normalize(self.layers(features), dim=-1)

    def __call__(self, features: Tensor) -> Tensor:  # for the type checker: nn.Module's gives Any
        """See ``forward``."""
        return super().__call__(features)


class PlacedRegionProjector(nn.Module):
    """Embed boxes by what a map shows in each of 3 x 3 parts of them, and by where they lie.

    A mean over the box would be alike for boxes that differ by a little: it hides their extent.
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.parts = nn.Linear(PARTS**2 * channels, channels)
        self.place = nn.Linear(4, channels)
        self.projector = Projector(channels, embed_dims)

    def forward(self, visual: Tensor, boxes: Tensor) -> Tensor:
        """(B, K, D) embeddings of unit norm of (B, K, 4) cxcywh boxes in [0, 1] of a (B, C, H, W) map."""
        return self.projector(self.parts(pool_parts(visual, boxes, PARTS).flatten(2)) + self.place(boxes))

    def __call__(self, visual: Tensor, boxes: Tensor) -> Tensor:  # for the type checker: nn.Module's gives Any
        """See ``forward``."""
        embedded: Any = super().__call__(visual, boxes)
        return embedded
