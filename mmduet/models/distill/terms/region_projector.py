"""Embeddings of boxes: what the student's map shows inside them."""
from torch import Tensor

from mmduet.models.layers.projector import Projector
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, pool_regions


@MODELS.register_module()
class RegionProjector(Projector):
    """Embed boxes by the map that the box is predicted from: pooled inside them, then projected."""

    def embed(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """(B, K, D) embeddings of unit norm of (B, K, 4) cxcywh boxes in [0, 1] of the canvas."""
        return self(pool_regions(features.answer_map, boxes))
