"""Boxes drawn for the images of a batch, and pooling a feature map at boxes."""
from dataclasses import dataclass

import torch
from torch import Tensor

from mmduet.structures.axes import check_axes

# Cells.
LEAST_HALF = 0.01


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


def mean_without_padding(tokens: Tensor, padding: Tensor) -> Tensor:
    """(B, C) mean of (B, N, C) over the tokens that are not (B, N) padding."""
    weight = (~padding).to(tokens.dtype)
    return torch.einsum('bnc,bn->bc', tokens, weight) / weight.sum(dim=1, keepdim=True).clamp(min=1)


def pool_regions(feature_map: Tensor, boxes: Tensor) -> Tensor:
    """(B, K, C) averages of a (B, C, H, W) map in (B, K, 4) boxes, cxcywh in [0, 1] of the map; differentiable in both.

    The exact mean of the bilinearly interpolated map over the whole box, whatever its size (precise RoI pooling, Jiang et al.
    2018); outside the map lies its border.

    >>> import torch
    >>> from mmduet.structures import pool_regions
    >>> ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    >>> round(pool_regions(ramp, torch.tensor([[[0.5, 0.5, 0.5, 0.5]]])).item(), 3)
    3.5
    """
    return pool_parts(feature_map, boxes, 1).flatten(2)


def pool_parts(feature_map: Tensor, boxes: Tensor, parts: int) -> Tensor:
    """(B, K, parts, parts, C) averages as ``pool_regions`` has them, of the equal parts of each box, row by row."""
    height, width = feature_map.shape[2:]
    shift = (torch.arange(parts, device=boxes.device, dtype=boxes.dtype) + 0.5) / parts - 0.5
    x, y, w, h = (value[..., None] for value in boxes.unbind(dim=-1))
    rows = _interpolation_weights(y + shift * h, (h / parts).expand(*h.shape[:2], parts), height).to(feature_map.dtype)
    columns = _interpolation_weights(x + shift * w, (w / parts).expand(*w.shape[:2], parts), width).to(feature_map.dtype)
    # One product with the weights of all visual tokens: nothing as wide as the channels is made for each row of the map.
    weights = rows[:, :, :, None, :, None] * columns[:, :, None, :, None, :]
    pooled = weights.flatten(4).flatten(1, 3) @ feature_map.flatten(2).mT
    return pooled.unflatten(1, (-1, parts, parts))


def _interpolation_weights(centre: Tensor, side: Tensor, count: int) -> Tensor:
    """(..., count) weights of the mean over spans of what linearly interpolates so many cells of [0, 1]; they sum to 1."""
    # A box without extent is a point; the difference of two integrals over it would be all rounding.
    half = (side * count / 2).clamp(min=LEAST_HALF)
    offset = (centre * count)[..., None] - torch.arange(count, device=centre.device, dtype=centre.dtype) - 0.5
    integral = _integral(offset + half[..., None]) - _integral(offset - half[..., None])
    return integral / integral.sum(dim=-1, keepdim=True)


def _integral(x: Tensor) -> Tensor:
    """Integral from 0 to (..., N) offsets from each of N cells of its share in a linear interpolation, constant at the ends."""
    left, right = x.clamp(-1, 0), x.clamp(0, 1)
    rise, fall = left + left.square() / 2, right - right.square() / 2
    if x.shape[-1] == 1:
        return x
    first = x[..., :1].clamp(max=0) + fall[..., :1]
    last = rise[..., -1:] + x[..., -1:].clamp(min=0)
    return torch.cat([first, (rise + fall)[..., 1:-1], last], dim=-1)


def token_boxes(size: torch.Size, like: Tensor) -> Tensor:
    """(H * W, 4) boxes in [0, 1] of the map that each visual token of an (H, W) map covers, in rows."""
    height, width = size
    rows, columns = ((torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count for count in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([x, y, torch.full_like(x, 1 / width), torch.full_like(y, 1 / height)], dim=-1).reshape(-1, 4)
