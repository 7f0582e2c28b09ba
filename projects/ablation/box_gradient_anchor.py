"""An anchor of the region contrast that lets the loss move the predicted box: kept for comparison, as it costs points."""
from torch import Tensor

from mmduet.models.distill.anchors import Anchor
from mmduet.models.distill.projector import RegionProjector
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures


@MODELS.register_module()
class BoxGradientAnchor(Anchor):
    """The student's map at the predicted box, with the gradient into the box through bilinear sampling."""

    trains_region_projector = True

    def forward(self, features: GroundingFeatures, project_region: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return project_region.embed(features, features.boxes[-1][:, None])[:, 0]
