"""Overlaps of boxes in float64, by the rule that ``OriginalPixelsRule`` applies to one answer."""
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmduet.structures.boxes import iou_xyxy

Floats = NDArray[np.float64]


def clip_boxes(boxes: Floats, sizes: NDArray[Any]) -> Floats:
    """(n, 4) corners clipped to images of (n, 2) width and height; what is nan stays nan."""
    return np.clip(boxes, 0.0, np.tile(sizes, 2))


def overlap_pairs(first: Floats, second: Floats) -> Floats:
    """IoU of (..., 4) corners, element by element with broadcasting; 0 for boxes without area and for nan."""
    return iou_xyxy(torch.from_numpy(first), torch.from_numpy(second)).nan_to_num(0.0).numpy()
