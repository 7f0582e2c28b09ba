"""A map of numbers over the image that they are about."""
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mmduet.io.images import ImageArray
from mmduet.visualization.answer_sheet import INK, PAPER, Box
from mmduet.visualization.palette import RGB

# Even in lightness, and told apart by the colour-blind.
COLOURS = 'viridis'
# How much of the grey image shows through where the map is low, and where it is high.
_FAINT, _STRONG = 0.2, 0.8


def draw_heat_map(image: ImageArray, values: NDArray[np.floating], box: Box | None = None, colour: RGB = PAPER,
                  longest: int = 480) -> Image.Image:
    """The grey image under a map, dark and blue where it is lowest, bright and yellow where it is highest.

    Args:
        image: (h, w, 3) uint8 RGB.
        values: (rows, columns), a map over the whole image; of equal values all is the lowest.
        box: xyxy in pixels of the image, drawn in ``colour``.
        longest: side of the picture, pixels; a smaller image is enlarged to it.

    Raises:
        ValueError: values that are not finite, or not of two axes.
    """
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f'a heat map needs finite values of two axes, got {values.shape}')
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    grey = Image.fromarray(np.ascontiguousarray(image)).convert('L').resize(size, Image.Resampling.BICUBIC)
    low, high = float(values.min()), float(values.max())
    shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
    smooth = Image.fromarray(shares.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(smooth), 0, 1)
    heat = matplotlib.colormaps[COLOURS](strength)[..., :3] * 255
    share = (_FAINT + (_STRONG - _FAINT) * strength)[..., None]
    mixed = Image.fromarray((np.asarray(grey)[..., None] * (1 - share) + heat * share).round().astype(np.uint8))
    if box is not None:
        draw = ImageDraw.Draw(mixed)
        x1, y1, x2, y2 = (float(np.clip(value * scale, 0, limit - 1)) for value, limit in zip(box, size * 2, strict=True))
        draw.rectangle((x1 - 2, y1 - 2, x2 + 2, y2 + 2), outline=INK, width=7)
        draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=PAPER, width=5)
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=3)
    return mixed
