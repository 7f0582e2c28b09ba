"""An image resized and placed on a canvas: the mapping between the two frames, in one place."""
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmduet.structures.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where the pixels of an image went on its canvas.

    The image (after a crop, if there was one) was resized by ``scale_x``, ``scale_y``, canvas pixels per image pixel, which
    rounding makes differ a little, to ``width`` x ``height`` pixels and put with its top-left corner at (``left``, ``top``) on
    a canvas of ``size`` x ``size`` pixels; the rest is padding.

    >>> import torch
    >>> from mmduet.structures import Canvas
    >>> canvas = Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=0.5, scale_y=0.5)
    >>> canvas.to_canvas(torch.tensor([[0.0, 0.0, 128.0, 96.0]])).tolist()
    [[0.5, 0.5, 1.0, 0.75]]
    >>> canvas.to_image(torch.tensor([[0.5, 0.5, 1.0, 0.75]])).tolist()
    [[0.0, 0.0, 128.0, 96.0]]
    """

    size: int
    left: int
    top: int
    width: int
    height: int
    scale_x: float
    scale_y: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.scale_x <= 0 or self.scale_y <= 0:
            raise ValueError(f'a canvas needs content of at least one pixel and positive scales, got {self}')
        if min(self.left, self.top) < 0 or max(self.left + self.width, self.top + self.height) > self.size:
            raise ValueError(f'the content must lie on the canvas, got {self}')

    def to_canvas(self, pixel_boxes: Tensor) -> Tensor:
        """Map (..., 4) xyxy boxes in image pixels to cxcywh boxes in [0, 1] of the canvas."""
        scale = pixel_boxes.new_tensor([self.scale_x, self.scale_y] * 2)
        offset = pixel_boxes.new_tensor([self.left, self.top] * 2)
        return xyxy_to_cxcywh((pixel_boxes * scale + offset) / self.size)

    def to_image(self, boxes: Tensor) -> Tensor:
        """Map (..., 4) cxcywh boxes in [0, 1] of the canvas to xyxy boxes in image pixels, not clipped."""
        scale = boxes.new_tensor([self.scale_x, self.scale_y] * 2)
        offset = boxes.new_tensor([self.left, self.top] * 2)
        return (cxcywh_to_xyxy(boxes) * self.size - offset) / scale


def draw_canvases(images: Sequence[Tensor], canvases: Sequence[Canvas], names: Sequence[str]) -> Tensor:
    """(U, 3, S, S) uint8 canvases with (3, h, w) uint8 images on them, 0 at padding.

    Args:
        names: of the images, for the error.

    Raises:
        ValueError: an image whose size is not that of its canvas' content, or canvases of several sizes.
    """
    size = canvases[0].size
    pixels = torch.zeros(len(images), 3, size, size, dtype=torch.uint8)
    for square, image, canvas, name in zip(pixels, images, canvases, names, strict=True):
        if tuple(image.shape) != (3, canvas.height, canvas.width) or canvas.size != size:
            raise ValueError(f'{name}: image {tuple(image.shape)} does not fit its {canvas} on a canvas of {size} px')
        square[:, canvas.top:canvas.top + canvas.height, canvas.left:canvas.left + canvas.width] = image
    return pixels


def stack_contents(canvases: Sequence[Canvas]) -> Tensor:
    """(B, 4) pixel corners (left, top, right, bottom) of the content of each canvas, int64."""
    return torch.tensor([[c.left, c.top, c.left + c.width, c.top + c.height] for c in canvases], dtype=torch.int64)


def padding_mask(content: Tensor, size: int, feature_size: int | None = None) -> Tensor:
    """(B, h, h) bool padding of square canvases, True where nothing of the image is.

    Args:
        content: (B, 4) from ``stack_contents``.
        size: side of the canvas, pixels.
        feature_size: h, of a map that covers the canvas; a position takes the value of the pixel that nearest-neighbour
            resizing picks (as DETR and TransVG resize their masks). None for the mask of the pixels. Content so narrow that
            no such pixel is in it keeps the position of its middle: attention over padding alone is not a number.
    """
    side = feature_size or size
    left, top, right, bottom = (content[:, k, None] for k in range(4))
    return ~(_inside(top, bottom, size, side)[:, :, None] & _inside(left, right, size, side)[:, None, :])


def _inside(low: Tensor, high: Tensor, size: int, side: int) -> Tensor:
    """(B, side) bool, True at the positions of one axis that show pixels from (B, 1) ``low`` to below ``high``."""
    position = torch.arange(side, device=low.device)
    pixel = torch.div(position * size, side, rounding_mode='floor')
    inside = (pixel >= low) & (pixel < high)
    middle = torch.div(torch.div(low + high - 1, 2, rounding_mode='floor') * side, size, rounding_mode='floor')
    return inside | ((position == middle) & ~inside.any(dim=1, keepdim=True))


def to_content(boxes: Tensor, content: Tensor, size: int) -> Tensor:
    """Map (B, K, 4) cxcywh boxes of the canvas to cxcywh boxes in [0, 1] of the content; outside values are kept."""
    window = content.to(boxes.dtype)[:, None] / size
    span = window[..., 2:] - window[..., :2]
    return torch.cat([(boxes[..., :2] - window[..., :2]) / span, boxes[..., 2:] / span], dim=-1)


def from_content(boxes: Tensor, content: Tensor, size: int) -> Tensor:
    """Undo ``to_content``: map (B, K, 4) cxcywh boxes in [0, 1] of the content to cxcywh boxes of the canvas."""
    window = content.to(boxes.dtype)[:, None] / size
    span = window[..., 2:] - window[..., :2]
    return torch.cat([boxes[..., :2] * span + window[..., :2], boxes[..., 2:] * span], dim=-1)
