"""One answer on its image: box, expression and score."""
import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmduet.io.images import ImageArray
from mmduet.visualization.answer_sheet import FONT_SIZE, INK, PAPER, PREDICTION, Box
from mmduet.visualization.letters import find_letters

# An image below the first is enlarged by a whole number, so that its pixels stay visible as blocks.
LEAST, MOST_TIMES, MARGIN = 320, 16, 8


def draw_answer(image: ImageArray, box: Box, caption: str, longest: int | None = None) -> Image.Image:
    """An image with a red box on it and a caption under it.

    Args:
        image: (h, w, 3) uint8 RGB.
        box: xyxy in pixels of the image.
        caption: is broken into lines of the image's width.
        longest: a larger image is made smaller to this long side, pixels; None to keep it.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    height, width = image.shape[:2]
    scale: float = max(min(LEAST // max(width, height), MOST_TIMES), 1)
    if longest is not None and max(width, height) > longest:
        scale = longest / max(width, height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    picture = picture.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BICUBIC)
    letters = _font_for(size)
    step = round(letters.size * 1.3)
    columns = max(int((max(size[0], LEAST) - 2 * MARGIN) / letters.getlength('x')), 8)
    lines = textwrap.wrap(caption, columns) or ['']
    paper = Image.new('RGB', (max(size[0], LEAST), size[1] + step * len(lines) + 2 * MARGIN), PAPER)
    left = (paper.width - size[0]) // 2
    paper.paste(picture, (left, 0))
    draw = ImageDraw.Draw(paper)
    x1, y1, x2, y2 = (np.clip(value * scale, 0, limit - 1) for value, limit in zip(box, size * 2, strict=True))
    line = max(round(max(size) / 250), 2)
    draw.rectangle((left + x1 - 1, y1 - 1, left + x2 + 1, y2 + 1), outline=PAPER, width=line + 2)
    draw.rectangle((left + x1, y1, left + x2, y2), outline=PREDICTION, width=line)
    for number, text in enumerate(lines):
        draw.text((MARGIN, size[1] + MARGIN + step * number), text, fill=INK, font=letters)
    return paper


def _font_for(size: tuple[int, int]) -> ImageFont.FreeTypeFont:
    """Letters that can be read when the whole image is looked at."""
    return find_letters(max(FONT_SIZE, size[0] // 50))
