"""Box formats and overlaps; every function name says its format.

``cxcywh`` boxes are (centre x, centre y, width, height), ``xyxy`` boxes two corners; both keep whatever unit they come in.
"""
import torch
from torch import Tensor


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Corners of (..., 4) centre-size boxes.

    >>> import torch
    >>> from mmduet.structures.boxes import cxcywh_to_xyxy
    >>> cxcywh_to_xyxy(torch.tensor([0.5, 0.5, 0.5, 1.0])).tolist()
    [0.25, 0.0, 0.75, 1.0]
    """
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes_xyxy: Tensor) -> Tensor:
    """Centre and size of (..., 4) corner boxes."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def area_xyxy(boxes_xyxy: Tensor) -> Tensor:
    """Area of (..., 4) corner boxes; the product of the sides, whatever their sign, so that an empty box has a gradient."""
    size = boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]
    return size[..., 0] * size[..., 1]


def _intersection_and_union(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    overlap = (high - low).clamp(min=0)
    intersection = overlap[..., 0] * overlap[..., 1]
    return intersection, area_xyxy(first) + area_xyxy(second) - intersection


def iou_xyxy(first: Tensor, second: Tensor) -> Tensor:
    """(...) intersection over union of corner boxes in [0, 1], with broadcasting; 0 where both boxes are empty."""
    intersection, union = _intersection_and_union(first, second)
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny)


def iou_cxcywh(first: Tensor, second: Tensor) -> Tensor:
    """``iou_xyxy`` of centre-size boxes.

    >>> import torch
    >>> from mmduet.structures.boxes import iou_cxcywh
    >>> boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.75, 0.5, 0.5, 0.5]])
    >>> [round(value, 3) for value in iou_cxcywh(boxes[0], boxes).tolist()]
    [1.0, 0.333]
    """
    return iou_xyxy(cxcywh_to_xyxy(first), cxcywh_to_xyxy(second))


def giou_cxcywh(first: Tensor, second: Tensor) -> Tensor:
    """(...) generalised intersection over union of centre-size boxes in (-1, 1], with broadcasting (Rezatofighi et al. 2019).

    It is the IoU minus the share of the enclosing box that neither box covers.
    """
    first, second = cxcywh_to_xyxy(first), cxcywh_to_xyxy(second)
    tiny = torch.finfo(first.dtype).tiny
    intersection, union = _intersection_and_union(first, second)
    low, high = torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])
    enclosing = area_xyxy(torch.cat([low, high], dim=-1))
    return intersection / union.clamp(min=tiny) - (enclosing - union) / enclosing.clamp(min=tiny)
