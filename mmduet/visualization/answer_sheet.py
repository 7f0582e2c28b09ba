"""A sheet of answers: images with target and prediction, the expression and the IoU under each."""
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from mmduet.io.images import ImageArray, read_image
from mmduet.visualization.letters import find_letters

Box = tuple[float, float, float, float]

TARGET, PREDICTION, PAPER, INK = (0, 170, 60), (225, 30, 30), (255, 255, 255), (20, 20, 20)
TILE, GAP, LINE = 320, 12, 3
FONT_SIZE, TEXT_LINES, STEP = 15, 3, 20
FONT = find_letters(FONT_SIZE)
COLUMNS = int(TILE / FONT.getlength('x'))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a grounder answered to one expression; boxes are xyxy in pixels of the image."""

    image: str | Path | ImageArray  # path, or (h, w, 3) uint8 RGB pixels
    expression: str
    prediction: Box
    target: Box | None = None  # None where it is unknown

    @property
    def iou(self) -> float | None:
        """IoU of prediction and target in [0, 1]; None without a target."""
        if self.target is None:
            return None
        import torch  # not where there is nothing but an answer to draw: an exported model is run without it

        from mmduet.structures.boxes import iou_xyxy
        return float(iou_xyxy(*torch.tensor([self.prediction, self.target], dtype=torch.float64)))


def draw_sheet(answers: Sequence[Answer], columns: int = 4) -> NDArray[np.uint8]:
    """Draw answers row by row, ``columns`` in each, under a legend.

    Images are scaled to tiles of equal width, small ones up. The target is green, the prediction red.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: no answers or no columns.
        ImageError: an image cannot be read; names it.
    """
    if not answers or columns < 1:
        raise ValueError(f'a sheet needs answers and columns, got {len(answers)} and {columns}')
    columns = min(columns, len(answers))
    tiles = [_draw_tile(answer) for answer in answers]
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    tops = np.cumsum([FONT_SIZE + 2 * GAP, *(max(tile.height for tile in row) + GAP for row in rows)]).tolist()
    sheet = Image.new('RGB', (columns * (TILE + GAP) + GAP, tops[-1]), PAPER)
    _draw_legend(ImageDraw.Draw(sheet))
    for top, row in zip(tops, rows, strict=False):
        for column, tile in enumerate(row):
            sheet.paste(tile, (GAP + column * (TILE + GAP), top))
    return np.asarray(sheet)


def _draw_legend(draw: ImageDraw.ImageDraw) -> None:
    left: float = GAP
    for name, colour in (('target', TARGET), ('prediction', PREDICTION)):
        draw.rectangle((left, GAP + 2, left + FONT_SIZE, GAP + FONT_SIZE), outline=colour, width=LINE)
        draw.text((left + FONT_SIZE + 6, GAP), name, fill=INK, font=FONT)
        left += FONT_SIZE + 6 + draw.textlength(name, font=FONT) + 2 * GAP


def _draw_tile(answer: Answer) -> Image.Image:
    image = Image.fromarray(answer.image if isinstance(answer.image, np.ndarray) else read_image(answer.image)).convert('RGB')
    scale = TILE / max(image.size)
    # A small image keeps its pixels as blocks: smoothing would hide what the model saw.
    image = ImageOps.contain(image, (TILE, TILE), Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.BICUBIC)
    rows = [(line, INK) for line in textwrap.wrap(answer.expression, COLUMNS, max_lines=TEXT_LINES, placeholder=' ...')]
    if answer.iou is not None:
        rows.append((f'IoU {answer.iou:.2f}', TARGET if answer.iou >= 0.5 else PREDICTION))
    width, height = image.size
    tile = Image.new('RGB', (TILE, height + 6 + STEP * len(rows)), PAPER)
    left = (TILE - width) // 2
    tile.paste(image, (left, 0))
    draw = ImageDraw.Draw(tile)
    for box, colour in ((answer.target, TARGET), (answer.prediction, PREDICTION)):
        if box is not None:
            x, y = np.clip(np.reshape(box, (2, 2)).T * scale, 0, [[width - 1], [height - 1]])
            x1, x2, y1, y2 = left + x[0], left + x.max(), y[0], y.max()
            # A light rim keeps the box visible on an image of its own colour.
            draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=PAPER, width=1)
            draw.rectangle((x1, y1, x2, y2), outline=colour, width=LINE)
    for number, (line, colour) in enumerate(rows):
        draw.text((0, height + 6 + STEP * number), line, fill=colour, font=FONT)
    return tile
