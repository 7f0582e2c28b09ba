"""From an image to its canvas, as the test pipelines have it bit for bit, by NumPy and Pillow."""
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmduet.io.images import ImageArray


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """A (S, S, 3) uint8 canvas, black at padding, and the xyxy ``content``, (4,) int64 pixels, that the image covers."""

    canvas: ImageArray
    content: NDArray[np.int64]


def place_image(image: ImageArray, canvas_size: int, long_side: int) -> PlacedImage:
    """Resize an image by Pillow's bilinear filter with antialiasing and put it in the middle of a canvas.

    Args:
        image: (h, w, 3) uint8 RGB.
        canvas_size: S, pixels.
        long_side: of the resized image, pixels; at most S.

    >>> import numpy as np
    >>> from mmduet.export.preprocessing import place_image
    >>> placed = place_image(np.full((50, 100, 3), 7, np.uint8), canvas_size=64, long_side=64)
    >>> placed.content.tolist(), placed.canvas[16, 0].tolist(), placed.canvas[15, 0].tolist()
    ([0, 16, 64, 48], [7, 7, 7], [0, 0, 0])
    """
    height, width = image.shape[:2]
    ratio = long_side / max(height, width)
    rows, columns = max(round(height * ratio), 1), max(round(width * ratio), 1)
    if (rows, columns) != (height, width):
        resized: Any = Image.fromarray(np.ascontiguousarray(image)).resize((columns, rows), Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    # Rounded as the TransVG family rounds.
    top, left = (round((canvas_size - side) / 2 - 0.1) for side in (rows, columns))
    canvas = np.zeros((canvas_size, canvas_size, 3), np.uint8)
    canvas[top:top + rows, left:left + columns] = image
    return PlacedImage(canvas, np.array([left, top, left + columns, top + rows], np.int64))
