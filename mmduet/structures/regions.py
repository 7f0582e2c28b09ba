"""Boxes drawn for the images of a batch, and pooling a feature map at boxes."""
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.structures.axes import check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """P positive and N negative regions of each of B images for the region-contrastive loss, cxcywh in [0, 1] of the canvas."""

    positives: Tensor  # (B, P, 4)
    positive_weight: Tensor  # (B, P) >= 0; sums to 1 over the positives of an image, or to 0 where there is none
    negatives: Tensor  # (B, N, 4)
    negative_valid: Tensor  # (B, N) bool, False where there is no such negative

    def __post_init__(self) -> None:
        check_axes(self, {'positives': ('B', 'P', 4), 'positive_weight': ('B', 'P'), 'negatives': ('B', 'N', 4),
                          'negative_valid': ('B', 'N')}, booleans=('negative_valid', ))


def pool_regions(feature_map: Tensor, boxes: Tensor, points: int = 3) -> Tensor:
    """(B, K, C) averages of a (B, C, H, W) map in (B, K, 4) boxes, cxcywh in [0, 1] of the map; differentiable in both.

    The map is sampled bilinearly at ``points`` x ``points`` centres of equal parts of a box; outside it at its border.

    >>> import torch
    >>> from mmduet.structures import pool_regions
    >>> ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    >>> round(pool_regions(ramp, torch.tensor([[[0.5, 0.5, 0.5, 0.5]]])).item(), 3)
    3.5
    """
    steps = (torch.arange(points, device=boxes.device, dtype=boxes.dtype) + 0.5) / points - 0.5
    offset_y, offset_x = torch.meshgrid(steps, steps, indexing='ij')
    offsets = torch.stack([offset_x, offset_y], dim=-1).reshape(-1, 2)
    sampled = boxes[:, :, None, :2] + offsets * boxes[:, :, None, 2:]
    samples = F.grid_sample(feature_map, (2 * sampled - 1).to(feature_map.dtype), mode='bilinear', padding_mode='border',
                            align_corners=False)
    return samples.mean(dim=3).transpose(1, 2)
