"""Cutting boxes out of images and resizing them as CLIP's own preprocessing does, for a whole batch at once."""
from collections.abc import Callable

import torch
from torch import Tensor

from mmduet.structures.boxes import cxcywh_to_xyxy

# A box that ends on a pixel border must not take in the next pixel because of rounding.
ROUNDING = 1e-3


def _bilinear(distance: Tensor) -> Tensor:
    return (1 - distance.abs()).clamp(min=0)


def _bicubic(distance: Tensor) -> Tensor:
    """Keys's cubic with a = -0.5, as Pillow's."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


KERNELS: dict[str, Callable[[Tensor], Tensor]] = {'bilinear': _bilinear, 'bicubic': _bicubic}


def enlarge_within(boxes: Tensor, content: Tensor, size: int, crop_scale: float) -> Tensor:
    """(B, 4) xyxy pixels, one or more a side, of boxes with sides multiplied by ``crop_scale``, cut at the border of the image.

    Args:
        boxes: (B, 4) cxcywh in [0, 1] of the canvas.
        content: (B, 4) int xyxy pixels of the images on their canvases of ``size`` pixels.
    """
    enlarged = cxcywh_to_xyxy(torch.cat([boxes[:, :2], boxes[:, 2:] * crop_scale], dim=1)) * size
    low, high = content[:, :2].to(boxes.dtype), content[:, 2:].to(boxes.dtype)
    start = torch.minimum(torch.maximum(enlarged[:, :2], low), high - 1)
    end = torch.maximum(torch.minimum(enlarged[:, 2:], high), start + 1)
    return torch.cat([start, end], dim=1)


def crop_and_resize(images: Tensor, pixel_boxes: Tensor, size: tuple[int, int], interpolation: str = 'bicubic') -> Tensor:
    """Cut one box out of each image and resize it with antialiasing; the aspect is not kept.

    Both axes are a product with a matrix of filter weights, so boxes need not lie on pixels, and the batch needs no loop and
    no copy of the boxes to the host. On whole pixels this is the antialiased resize of PyTorch and Pillow. A filter reads
    pixels of its own box only, never the padding beside it.

    Args:
        images: (B, C, S, S) in [0, 1].
        pixel_boxes: (B, 4) xyxy, at least one pixel wide and high, inside the image.
        size: height and width of the (B, C, height, width) result in [0, 1].
        interpolation: 'bicubic' or 'bilinear'.

    Raises:
        ValueError: unknown interpolation.
    """
    if interpolation not in KERNELS:
        raise ValueError(f'interpolation must be one of {sorted(KERNELS)}, got {interpolation!r}')
    kernel = KERNELS[interpolation]
    rows = _filter(pixel_boxes[:, 1], pixel_boxes[:, 3], images.shape[2], size[0], kernel)
    columns = _filter(pixel_boxes[:, 0], pixel_boxes[:, 2], images.shape[3], size[1], kernel)
    return (rows[:, None] @ images @ columns[:, None].mT).clamp(0, 1)


def _filter(start: Tensor, end: Tensor, pixels: int, length: int, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, length, pixels) weights that resize the span from ``start`` to ``end`` (B,) to so many pixels; rows sum to 1."""
    step = (end - start)[:, None] / length
    centre = start[:, None] + (torch.arange(length, device=start.device) + 0.5) * step
    pixel = torch.arange(pixels, device=start.device) + 0.5
    weights = kernel((pixel - centre[..., None]) / step[..., None].clamp(min=1))
    inside = (pixel > (start + ROUNDING).floor()[:, None]) & (pixel < (end - ROUNDING).ceil()[:, None])
    weights = weights * inside[:, None]
    return weights / weights.sum(dim=-1, keepdim=True)
