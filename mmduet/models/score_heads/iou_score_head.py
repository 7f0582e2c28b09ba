"""A score that is learnt by itself: the IoU of the answer, regressed."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.score_heads.base_score_head import ScoreHead
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, mean_without_padding, pool_regions
from mmduet.structures.boxes import iou_cxcywh


@MODELS.register_module()
class IoUScoreHead(ScoreHead):
    """A perceptron on query, mean text token, box, and both maps pooled in it, trained to say the box's own IoU.

    Its gradient ends at the features, so that the student learns as it would without it. Our choice, after the IoU head of
    IoU-Net (Jiang et al. 2018).

    Args:
        channels: C of the student, and width of the hidden layers.
        weight: of ``loss_score``.
    """

    def __init__(self, channels: int, weight: float = 1.0) -> None:
        super().__init__([1.0])
        self.weight = weight
        self.layers = nn.Sequential(nn.Linear(4 * channels + 4, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU(),
                                    nn.Linear(channels, 1))

    def read(self, features: GroundingFeatures) -> Tensor:
        """See ``ScoreHead.read``: one reading, the logit of the IoU."""
        box, maps = features.boxes[-1], (features.visual, features.answer_map)
        parts = [features.query, mean_without_padding(features.text, features.text_padding), box,
                 *(pool_regions(visual, box[:, None])[:, 0] for visual in maps)]
        logits: Tensor = self.layers(torch.cat(parts, dim=1).detach())
        return logits

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """``loss_score``: binary cross-entropy of the reading with the IoU."""
        iou = iou_cxcywh(features.boxes[-1].detach(), batch.target_boxes).clamp(0, 1)
        return {'loss_score': self.weight * F.binary_cross_entropy_with_logits(self.read(features)[:, 0], iou)}
