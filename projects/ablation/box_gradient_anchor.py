"""An anchor of the region contrast that lets the loss move the predicted box: for comparison, as it costs points."""
from torch import Tensor

from mmduet.models.distill.terms.anchors import Anchor, RegionProjector
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures


@MODELS.register_module()
class BoxGradientAnchor(Anchor):
    """The student's map at the predicted box, with the gradient into the box through bilinear sampling."""

    def forward(self, features: GroundingFeatures, regions: RegionProjector) -> Tensor:
        """See ``Anchor.forward``."""
        return regions.embed(features, features.boxes[-1][:, None])[:, 0]
