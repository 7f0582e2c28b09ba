"""The box loss of the DETR family."""
import torch
from torch import Tensor, nn

from mmduet.registry import MODELS
from mmduet.structures.boxes import giou_cxcywh

# A side, of the canvas: less than a pixel of an image has, however large. The gradient of an overlap goes as one over the
# larger of two sides.
LEAST_SIDE = 1e-5


def box_loss(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """L1 distance and 1 - GIoU of paired (B, 4) cxcywh boxes, each summed over its numbers and averaged over the batch.

    The overlap of a box has no gradient where width or height of box and target are both under 1e-5; their distance has.

    Raises:
        ValueError: shapes disagree or are not (B, 4).
    """
    if boxes.shape != targets.shape or boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes and targets must both be (B, 4), got {tuple(boxes.shape)} and {tuple(targets.shape)}')
    distances, overlaps = _box_terms(boxes, targets)
    return distances.mean(), overlaps.mean()


def _box_terms(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    thin = torch.maximum(boxes[:, 2:], targets[:, 2:]).amin(dim=-1, keepdim=True) < LEAST_SIDE
    overlaps = giou_cxcywh(torch.where(thin, boxes.detach(), boxes), targets)
    return (boxes - targets).abs().sum(dim=-1), 1 - overlaps


@MODELS.register_module()
class BoxLoss(nn.Module):
    """The box loss of the last stage, weighted, as ``loss_bbox`` and ``loss_giou``; float32 under any autocast.

    Args:
        l1_weight, giou_weight: 1 and 1 in TransVG.

    >>> import torch
    >>> from mmduet.models.losses import BoxLoss
    >>> boxes = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    >>> {name: float(value) for name, value in BoxLoss()(boxes[None], boxes).items()}
    {'loss_bbox': 0.0, 'loss_giou': 0.0}
    """

    def __init__(self, l1_weight: float = 1.0, giou_weight: float = 1.0) -> None:
        super().__init__()
        self.l1_weight = l1_weight
        self.giou_weight = giou_weight

    def forward(self, boxes: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compare (S, B, 4) boxes of S stages, cxcywh in [0, 1] of the canvas, with (B, 4) targets of the same frame."""
        distance, overlap = box_loss(boxes[-1].float(), targets.float())
        return {'loss_bbox': self.l1_weight * distance, 'loss_giou': self.giou_weight * overlap}


@MODELS.register_module()
class StagedBoxLoss(BoxLoss):
    """The box loss of every decoding stage, all stages equally weighted; the weights are VLTVG's."""

    def __init__(self, l1_weight: float = 5.0, giou_weight: float = 2.0) -> None:
        super().__init__(l1_weight, giou_weight)

    def forward(self, boxes: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """As ``BoxLoss.forward``; also ``loss_bbox_0``, ``loss_giou_0`` and so on of the stages before the last."""
        if boxes.dim() != 3 or boxes.shape[1:] != targets.shape:
            raise ValueError(f'boxes must be (S, B, 4) and targets (B, 4), got {tuple(boxes.shape)} and {tuple(targets.shape)}')
        stages = boxes.shape[0]
        terms = _box_terms(boxes.float().flatten(0, 1), targets.float().repeat(stages, 1))
        distance, overlap = (term.view(stages, -1).mean(dim=1) for term in terms)
        losses = {}
        for stage in range(stages):
            name = '' if stage == stages - 1 else f'_{stage}'
            losses[f'loss_bbox{name}'] = self.l1_weight * distance[stage]
            losses[f'loss_giou{name}'] = self.giou_weight * overlap[stage]
        return losses
