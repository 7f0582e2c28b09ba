"""Several answers on one image: boxes that are told apart by their colour and by their number."""
import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmduet.io.images import ImageArray
from mmduet.visualization.answer_sheet import FONT_SIZE, INK, PAPER, Box
from mmduet.visualization.letters import find_letters
from mmduet.visualization.palette import colour_of, ink_on

# An image below the first is enlarged by a whole number, so that its pixels stay visible as blocks.
LEAST, MARGIN = 640, 12


def draw_boxes(image: ImageArray, boxes: Sequence[Box], longest: int = 1600) -> Image.Image:
    """An image with numbered boxes, each in its colour with a light and a dark rim, so that it is seen on any image.

    Args:
        image: (h, w, 3) uint8 RGB.
        boxes: xyxy in pixels of the image; the first has the number 1.
        longest: a larger image is made smaller to this long side, pixels.
    """
    height, width = image.shape[:2]
    scale: float = max(LEAST // max(width, height), 1)
    if max(width, height) > longest:
        scale = longest / max(width, height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    picture = Image.fromarray(np.ascontiguousarray(image)).resize(
        size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    line = max(round(max(size) / 200), 2)
    font = find_letters(max(round(max(size) / 32), FONT_SIZE))
    # All rims before all lines: a box in a box is not painted over.
    placed = [tuple(float(np.clip(value * scale, 0, limit - 1)) for value, limit in zip(box, size * 2, strict=True))
              for box in boxes]
    for x1, y1, x2, y2 in placed:
        draw.rectangle((x1 - line, y1 - line, x2 + line, y2 + line), outline=INK, width=line * 3)
    for x1, y1, x2, y2 in placed:
        draw.rectangle((x1 - line + 1, y1 - line + 1, x2 + line - 1, y2 + line - 1), outline=PAPER, width=line * 3 - 2)
    for number, corners in enumerate(placed):
        draw.rectangle(corners, outline=colour_of(number), width=line)
    taken: list[Box] = []
    for number, corners in enumerate(placed):
        taken.append(_draw_number(draw, size, (corners[0], corners[1], corners[2], corners[3]), number, font, taken))
    return picture


def _draw_number(draw: ImageDraw.ImageDraw, size: tuple[int, int], box: Box, number: int, font: ImageFont.FreeTypeFont,
                 taken: Sequence[Box]) -> Box:
    """Draw a number beside its box and beside the numbers that are ``taken``; gives its place."""
    text, colour = str(number + 1), colour_of(number)
    pad = max(font.size / 4, 3)
    width, height = font.getlength(text) + 2 * pad, font.size + pad
    # Above the box where there is room, otherwise in it; never over the edge.
    left = min(max(box[0], 0), max(size[0] - width, 0))
    top = box[1] - height if box[1] >= height else min(box[1], max(size[1] - height, 0))
    while any(left < right and left + width > start and top < low and top + height > high for start, high, right, low in taken):
        left += width / 4
        if left + width > size[0]:
            left, top = 0, top + height
    draw.rectangle((left, top, left + width, top + height), fill=colour, outline=PAPER)
    draw.text((left + width / 2, top + height / 2), text, fill=ink_on(colour), font=font, anchor='mm')
    return left, top, left + width, top + height


def add_legend(picture: Image.Image, captions: Sequence[str]) -> Image.Image:
    """A picture with a legend under it: number, colour and caption of every box."""
    font = find_letters(max(round(max(picture.size) / 45), FONT_SIZE))
    step, width = round(font.size * 1.5), max(picture.width, LEAST // 2)
    indent = round(MARGIN + font.size * 2.2)
    columns = max(int((width - indent - MARGIN) / font.getlength('x')), 8)
    rows = [(number, line) for number, caption in enumerate(captions) for line in textwrap.wrap(caption, columns) or ['']]
    paper = Image.new('RGB', (width, picture.height + step * len(rows) + 2 * MARGIN), PAPER)
    paper.paste(picture, ((width - picture.width) // 2, 0))
    draw, shown = ImageDraw.Draw(paper), -1
    for row, (number, line) in enumerate(rows):
        top = picture.height + MARGIN + step * row
        if number != shown:
            colour = colour_of(number)
            draw.rectangle((MARGIN, top, MARGIN + font.size * 1.6, top + font.size * 1.25), fill=colour)
            draw.text((MARGIN + font.size * 0.8, top + font.size * 0.62), str(number + 1), fill=ink_on(colour), font=font,
                      anchor='mm')
            shown = number
        draw.text((indent, top), line, fill=INK, font=font)
    return paper
