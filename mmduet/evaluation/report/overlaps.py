"""Overlaps of boxes in float64, by the rule that ``OriginalPixelsRule`` applies to one answer."""
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def clip_boxes(boxes: Floats, sizes: NDArray[Any]) -> Floats:
    """(n, 4) corners clipped to photos of (n, 2) width and height; what is nan stays nan."""
    limits: Floats = np.concatenate([sizes, sizes], axis=1).astype(np.float64)
    clipped: Floats = np.minimum(np.maximum(boxes, 0.0), limits)
    return clipped


def overlap_pairs(first: Floats, second: Floats) -> Floats:
    """IoU of (..., 4) corners, element by element with broadcasting; 0 for boxes without area and for nan."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    sides = np.maximum(high - low, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    union = _area(first) + _area(second) - intersection
    overlaps: Floats = intersection / np.maximum(union, np.finfo(np.float64).tiny)
    return np.where(np.isnan(overlaps), 0.0, overlaps)


def _area(boxes: Floats) -> Floats:
    sides = boxes[..., 2:] - boxes[..., :2]
    area: Floats = sides[..., 0] * sides[..., 1]
    return area


def score_boxes(predictions: Floats, targets: Floats, sizes: NDArray[Any]) -> Floats:
    """(n,) IoU of predictions, clipped to their photos, with the official targets."""
    return overlap_pairs(clip_boxes(predictions, sizes), targets)
