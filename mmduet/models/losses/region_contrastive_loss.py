"""Region-contrastive self-distillation; the form of the loss is ours, as the DUET paper released no code."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.losses.gathering import gather_rows
from mmduet.models.losses.numerics import at_least_float32
from mmduet.registry import MODELS
from mmduet.structures import Regions

EXCLUDED = -1e4


def region_contrastive_loss(anchors: Tensor, positives: Tensor, positive_weight: Tensor, negatives: Tensor,
                            negative_valid: Tensor, temperature: float, cross_image: Tensor | None = None,
                            cross_image_valid: Tensor | None = None) -> Tensor:
    """Pull each predicted region to its positive regions and away from its negatives (weighted multi-positive InfoNCE).

    Each positive stands alone against all valid negatives; the terms of an image are summed with the positives' weights.

    Args:
        anchors: (B, D) embeddings of the predicted regions; all embeddings are of unit norm.
        positives, positive_weight: (B, P, D), and (B, P) >= 0 that sum to 1 over an image, or to 0 where it has no positive.
        negatives, negative_valid: (B, N, D) of the anchor's own image, and (B, N) bool.
        temperature: > 0.
        cross_image, cross_image_valid: (M, D) negatives of other images, and (B, M) bool, for which anchors they count; both
            or neither.

    Returns:
        Scalar, the mean over images; an image without a positive or without a valid negative contributes 0.

    Raises:
        ValueError: shapes disagree, or the temperature is not positive.

    >>> import torch
    >>> from mmduet.models.losses.region_contrastive_loss import region_contrastive_loss
    >>> anchor, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.0, 1.0]]])
    >>> loss = region_contrastive_loss(anchor, anchor[:, None], torch.ones(1, 1), other, torch.ones(1, 1, dtype=torch.bool),
    ...                                temperature=1.0)
    >>> round(loss.item(), 4)
    0.3133
    """
    batch, width = anchors.shape
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    for name, value, shape in (('positives', positives, (*positive_weight.shape, width)),
                               ('negatives', negatives, (*negative_valid.shape, width))):
        if tuple(value.shape) != shape or shape[0] != batch:
            raise ValueError(f'{name} {tuple(value.shape)} do not fit anchors {tuple(anchors.shape)} and {shape[:2]}')
    anchors = at_least_float32(anchors)
    positive = torch.einsum('bd,bpd->bp', anchors, at_least_float32(positives)) / temperature
    negative = torch.einsum('bd,bnd->bn', anchors, at_least_float32(negatives)) / temperature
    negative = negative.masked_fill(~negative_valid, EXCLUDED)
    if cross_image is not None and cross_image_valid is not None:
        others = anchors @ at_least_float32(cross_image).T / temperature
        negative = torch.cat([negative, others.masked_fill(~cross_image_valid, EXCLUDED)], dim=1)
    if negative.shape[1] == 0:
        return positive.sum() * 0
    # log(exp(p) + sum exp(n)) - p, without overflow.
    terms = F.softplus(negative.logsumexp(dim=1, keepdim=True) - positive)
    return (positive_weight.to(terms.dtype) * terms).sum(dim=1).mean()


@MODELS.register_module()
class RegionContrastiveLoss(nn.Module):
    """Weighted ``region_contrastive_loss``; if ``gather``, negatives of all other images of all ranks are negatives too.

    Raises:
        ValueError: the weight is negative or the temperature not positive.
    """

    def __init__(self, weight: float = 1.0, temperature: float = 0.1, gather: bool = False) -> None:
        super().__init__()
        if weight < 0 or temperature <= 0:
            raise ValueError('the weight must not be negative and the temperature must be positive')
        self.weight = weight
        self.temperature = temperature
        self.gather = gather

    def forward(self, anchors: Tensor, positives: Tensor, negatives: Tensor, regions: Regions, image: Tensor) -> Tensor:
        """Scalar loss of (B, D) ``anchors`` against (B, P, D) ``positives`` and (B, N, D) ``negatives`` of ``regions``.

        ``image`` is (B,), the number of the image of each; see ``TargetIdentity``.
        """
        cross_image, valid = self._cross_image(negatives, regions.negative_valid, image) if self.gather else (None, None)
        return self.weight * region_contrastive_loss(anchors, positives, regions.positive_weight, negatives,
                                                     regions.negative_valid, self.temperature, cross_image, valid)

    @staticmethod
    def _cross_image(negatives: Tensor, valid: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Negatives of all expressions of all ranks, (M, D), and (B, M) bool, which are valid and of another image."""
        other = image[:, None] != gather_rows(image)
        everyone_valid = other[:, :, None] & gather_rows(valid.to(torch.uint8)).bool()
        return gather_rows(negatives).flatten(0, 1), everyone_valid.flatten(1)
