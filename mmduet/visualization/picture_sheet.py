"""A sheet of answers: photos with target and prediction, the expression and the IoU under each."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mmduet.datasets.image_io import read_image
from mmduet.structures.boxes import iou_xyxy

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]

TARGET: Colour = (0, 170, 60)
PREDICTION: Colour = (225, 30, 30)
PAPER: Colour = (255, 255, 255)
INK: Colour = (20, 20, 20)
TILE = 320
GAP = 12
FONT_SIZE = 17
TEXT_LINES = 3
LINE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a grounder answered to one expression.

    Attributes:
        photo: path of the photo, or its (h, w, 3) uint8 RGB pixels.
        expression: the words.
        prediction: xyxy in pixels of the photo.
        target: xyxy in pixels of the photo; None where it is unknown.
    """

    photo: str | Path | NDArray[np.uint8]
    expression: str
    prediction: Box
    target: Box | None = None

    @property
    def iou(self) -> float | None:
        """Overlap of prediction and target in [0, 1]; None without a target."""
        if self.target is None:
            return None
        boxes = torch.tensor([self.prediction, self.target], dtype=torch.float64)
        return float(iou_xyxy(boxes[0], boxes[1]))


def draw_sheet(answers: Sequence[Answer], columns: int = 4) -> NDArray[np.uint8]:
    """Draw answers row by row, ``columns`` in each, under a legend.

    Photos are scaled to tiles of equal width, small ones up. The target is green, the prediction red.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: no answers or no columns.
        ImageError: a photo cannot be read; names it.
    """
    if not answers or columns < 1:
        raise ValueError(f'a sheet needs answers and columns, got {len(answers)} and {columns}')
    columns = min(columns, len(answers))
    tiles = [_draw_tile(answer) for answer in answers]
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    font = _font()
    legend = FONT_SIZE + 2 * GAP
    width = columns * (TILE + GAP) + GAP
    sheet = Image.new('RGB', (width, legend + sum(heights) + GAP * len(rows)), PAPER)
    _draw_legend(ImageDraw.Draw(sheet), font)
    top = legend
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (GAP + column * (TILE + GAP), top))
        top += height + GAP
    return np.asarray(sheet)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT_SIZE)


def _draw_legend(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> None:
    left: float = GAP
    for name, colour in (('target', TARGET), ('prediction', PREDICTION)):
        draw.rectangle((left, GAP + 2, left + FONT_SIZE, GAP + FONT_SIZE), outline=colour, width=LINE)
        draw.text((left + FONT_SIZE + 6, GAP), name, fill=INK, font=font)
        left += FONT_SIZE + 6 + draw.textlength(name, font=font) + 2 * GAP


def _draw_tile(answer: Answer) -> Image.Image:
    photo = _open_image(answer.photo)
    scale = TILE / max(photo.size)
    size = (max(round(photo.width * scale), 1), max(round(photo.height * scale), 1))
    # A small photo keeps its pixels as blocks: smoothing would hide what the model saw.
    scaled = photo.resize(size, Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.BICUBIC)
    font = _font()
    lines = _wrap(answer.expression, font, TILE)
    step = FONT_SIZE + 4
    tile = Image.new('RGB', (TILE, size[1] + 6 + step * (len(lines) + 1)), PAPER)
    left = (TILE - size[0]) // 2
    tile.paste(scaled, (left, 0))
    draw = ImageDraw.Draw(tile)
    for box, colour in ((answer.target, TARGET), (answer.prediction, PREDICTION)):
        if box is not None:
            _draw_box(draw, box, scale, (left, 0, left + size[0] - 1, size[1] - 1), colour)
    top = size[1] + 6
    for line in lines:
        draw.text((0, top), line, fill=INK, font=font)
        top += step
    if answer.iou is not None:
        draw.text((0, top), f'IoU {answer.iou:.2f}', fill=TARGET if answer.iou >= 0.5 else PREDICTION, font=font)
    return tile


def _draw_box(draw: ImageDraw.ImageDraw, box: Box, scale: float, frame: tuple[int, int, int, int], colour: Colour) -> None:
    left, top, right, bottom = frame
    x1, x2 = (min(max(left + value * scale, left), right) for value in (box[0], box[2]))
    y1, y2 = (min(max(top + value * scale, top), bottom) for value in (box[1], box[3]))
    x2, y2 = max(x1, x2), max(y1, y2)
    # A light rim keeps the box visible on a photo of its own colour.
    draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=PAPER, width=1)
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=LINE)


def _open_image(photo: str | Path | NDArray[np.uint8]) -> Image.Image:
    if isinstance(photo, np.ndarray):
        return Image.fromarray(photo).convert('RGB')
    return Image.fromarray(read_image(photo))


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break text into at most ``TEXT_LINES`` lines of ``width`` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    current = ''
    for word in text.split():
        candidate = f'{current} {word}'.strip()
        if font.getlength(candidate) <= width or not current:
            current = candidate
            continue
        lines.append(current)
        current = word
    lines.append(current)
    if len(lines) > TEXT_LINES:
        lines = lines[:TEXT_LINES]
        lines[-1] += ' ...'
    return [_shorten(line, font, width) for line in lines]


def _shorten(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + '...') > width:
        line = line[:-1]
    return line + '...'
