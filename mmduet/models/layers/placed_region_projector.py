"""From boxes on a student's map to the teacher's width, by their parts and their place."""
from typing import Any

from torch import Tensor, nn

from mmduet.models.layers.projector import Projector
from mmduet.structures.regions import pool_parts

PARTS = 3


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
