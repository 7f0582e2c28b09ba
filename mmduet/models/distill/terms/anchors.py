"""Embeddings of regions, and of the predicted one, for the contrasts; the paper leaves open which."""
from abc import ABC, abstractmethod

from torch import Tensor, nn

from mmduet.models.layers.projector import Projector
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, pool_regions


class RegionProjector(Projector):
    """Embed boxes by the map that the box is predicted from: pooled inside them, then projected."""

    def embed(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """(B, K, D) embeddings of unit norm of (B, K, 4) cxcywh boxes in [0, 1] of the canvas."""
        return self(pool_regions(features.answer_map, boxes))


class Anchor(nn.Module, ABC):
    """An embedding of the predicted region, for C ``channels`` of the student and D ``embed_dims``."""

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.channels = channels
        self.embed_dims = embed_dims

    @abstractmethod
    def forward(self, features: GroundingFeatures, regions: RegionProjector) -> Tensor:
        """(B, D) unit-norm anchors; ``regions`` is the projector of the sampled regions."""


@MODELS.register_module()
class QueryAnchor(Anchor):
    """The embedding that the box is predicted from, through a projector of its own. The default: better on RefShapes."""

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__(channels, embed_dims)
        self.projector = Projector(channels, embed_dims)

    def forward(self, features: GroundingFeatures, regions: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return self.projector(features.query)


@MODELS.register_module()
class RegionAnchor(Anchor):
    """The student's map at the predicted box; the loss moves the map, not the box."""

    def forward(self, features: GroundingFeatures, regions: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return regions.embed(features, features.boxes[-1].detach()[:, None])[:, 0]
