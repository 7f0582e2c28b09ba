"""What stands for the predicted region in the region-contrastive loss: three readings of one sentence of the paper."""
from abc import ABC, abstractmethod

from torch import Tensor, nn

from mmduet.models.distill.projector import Projector, RegionProjector
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures


class Anchor(nn.Module, ABC):
    """An embedding of the predicted region.

    Args:
        channels: C of the student.
        embed_dims: D of the teacher; an anchor without a projector of its own uses neither.
    """

    trains_region_projector: bool

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.channels = channels
        self.embed_dims = embed_dims

    @abstractmethod
    def forward(self, features: GroundingFeatures, project_region: RegionProjector) -> Tensor:
        """(B, D) unit-norm anchors; ``project_region`` is the projector of the sampled regions."""


@MODELS.register_module()
class QueryAnchor(Anchor):
    """The embedding that the box is read from, through a projector of its own. The default: better on RefShapes."""

    trains_region_projector = False

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__(channels, embed_dims)
        self.projector = Projector(channels, embed_dims)

    def forward(self, features: GroundingFeatures, project_region: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        anchors: Tensor = self.projector(features.query)
        return anchors


@MODELS.register_module()
class RegionAnchor(Anchor):
    """The student's map at the predicted box; the loss moves the map, not the box."""

    trains_region_projector = True

    def forward(self, features: GroundingFeatures, project_region: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return _project_boxes(features, features.boxes[-1].detach(), project_region)


@MODELS.register_module()
class DifferentiableRegionAnchor(Anchor):
    """The student's map at the predicted box, with the gradient into the box through bilinear sampling.

    It costs 6.1 points of Acc@0.5 [3.6, 8.6] on RefShapes (docs/refshapes.md): kept for comparison.
    """

    trains_region_projector = True

    def forward(self, features: GroundingFeatures, project_region: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return _project_boxes(features, features.boxes[-1], project_region)


def _project_boxes(features: GroundingFeatures, boxes: Tensor, project_region: RegionProjector) -> Tensor:
    return project_region.embed(features, boxes[:, None])[:, 0]
