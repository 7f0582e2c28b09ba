"""Whether boxes are in pixels of their images at all: fractions, thousandths and corner with size pass every other check."""
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
# Pixels. A box that ends before them lies in the first two pixels of its image, where no object is; fractions may pass 1.
FRACTION = 2.0
# Of an image's shorter side: in a smaller one two pixels may be an object.
LEAST_SIDE = 16
THOUSANDTHS, PERCENT = 1000.0, 100.0
# So few boxes may lie anywhere by chance.
FEW = 20
MANY = 0.2


def are_fractions(boxes: Boxes, sizes: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether (n, 4) corners, nan for no box, look like fractions of their images of (n, 2) width and height, pixels.

    >>> import numpy as np
    >>> are_fractions(np.array([[0.1, 0.2, 1.002, 0.6], [10, 20, 30, 40]]), np.array([[640, 480], [640, 480]])).tolist()
    [True, False]
    """
    inside = (np.abs(boxes) <= FRACTION).all(axis=1)
    result: NDArray[np.bool_] = inside & (boxes[:, 2:] > 0).any(axis=1) & (sizes.min(axis=1) >= LEAST_SIDE)
    return result


def mostly_fractions(boxes: Boxes, sizes: NDArray[Any]) -> bool:
    """Whether that is so of half of the boxes at least, no slip in a few lines; boxes that are nan do not count."""
    known = ~np.isnan(boxes).any(axis=1)
    return bool(known.any() and are_fractions(boxes, sizes)[known].mean() >= 0.5)


def doubt(boxes: Boxes, sizes: NDArray[Any]) -> str:
    """A sentence on what the boxes of a data set may be instead of corners in pixels; empty where nothing speaks for it.

    Args:
        boxes: (n, 4) corners, nan for no box.
        sizes: (n, 2) width and height of the images, pixels.
    """
    known = ~np.isnan(boxes).any(axis=1)
    boxes, sizes = boxes[known], sizes[known]
    if len(boxes) < FEW:
        return ''
    outside = (boxes > np.tile(sizes, 2) + 0.5).any(axis=1).mean()
    if outside >= MANY and boxes.max() <= THOUSANDTHS:
        return (f'{100 * outside:.0f} % of the boxes stick out of their images, and all end before {THOUSANDTHS:.0f}: are they '
                'thousandths of the image, or of an image of another size?')
    if boxes.max() <= PERCENT and sizes.min() > 2 * PERCENT:
        return f'all boxes lie in the first {PERCENT:.0f} pixels of larger images: are they percentages?'
    ends = boxes[:, :2] + boxes[:, 2:]
    if (ends <= sizes + 0.5).all():
        return (f'all {len(boxes):,} boxes would also fit their images as x, y, width, height, which corners seldom do: are '
                'they x1, y1, x2, y2?')
    return ''
