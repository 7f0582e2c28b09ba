"""From the student's width to the teacher's."""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, pool_regions

MAPS = ('visual', 'fused')


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
    """Embed boxes by what a map of the student shows inside them: pooled, then projected.

    Args:
        channels: C.
        embed_dims: D.
        reads: the map, ``'visual'``, or ``'fused'`` for the one that has read the words.

    Raises:
        ValueError: ``reads`` is neither.
    """

    def __init__(self, channels: int, embed_dims: int, reads: str = 'visual') -> None:
        super().__init__(channels, embed_dims)
        if reads not in MAPS:
            raise ValueError(f'reads must be one of {MAPS}, got {reads!r}')
        self.reads = reads

    def embed(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """(B, K, D) embeddings of unit norm of (B, K, 4) cxcywh boxes in [0, 1] of the canvas.

        Raises:
            ValueError: the student gives no such map.
        """
        embedded: Tensor = self(self.pool(features, boxes))
        return embedded

    def pool(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """(B, K, C) means of the map inside the boxes."""
        read: Tensor | None = getattr(features, self.reads)
        if read is None:
            raise ValueError(f"the student gives no {self.reads} map to pool regions from: set reads='visual' in the projector")
        return pool_regions(read, boxes)


@MODELS.register_module()
class LocatedRegionProjector(RegionProjector):
    """Embed boxes by what the map shows inside them and by where they are.

    Two objects that look alike are one to a projector that reads the map alone, and an expression such as "the leftmost star"
    tells them apart by place only. Our choice.

    Args:
        channels: C.
        embed_dims: D.
        reads: as ``RegionProjector`` has it.
        octaves: waves per coordinate, the longest as long as the picture, each next half as long; at least 1.

    Raises:
        ValueError: ``octaves`` is below 1.
    """

    def __init__(self, channels: int, embed_dims: int, reads: str = 'visual', octaves: int = 4) -> None:
        super().__init__(channels, embed_dims, reads)
        if octaves < 1:
            raise ValueError(f'octaves must be at least 1, got {octaves}')
        self.octaves = octaves
        self.place = nn.Linear(4 * 2 * octaves, channels)

    def pool(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """See ``RegionProjector.pool``; the place is added to the means."""
        return super().pool(features, boxes) + self.place(encode_boxes(boxes, self.octaves))


def encode_boxes(boxes: Tensor, octaves: int) -> Tensor:
    """Sines and cosines (..., 8 * octaves) of (..., 4) coordinates in [0, 1]."""
    angles = boxes[..., None] * (2 * math.pi * 2 ** torch.arange(octaves, device=boxes.device, dtype=boxes.dtype))
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
