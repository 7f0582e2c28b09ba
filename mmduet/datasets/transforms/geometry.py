"""Crop, resize and mirror: the image as augmented, its boxes and its words change together.

``box`` (4,) and ``distractors`` (n, 4) are xyxy float arrays in pixels of the image as augmented: cropping and mirroring move
them, resizing does not, because the canvas keeps the scale.
"""
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray
from PIL import Image

from mmduet.datasets.transforms.direction_words import can_mirror, names_a_position, swap_sides
from mmduet.datasets.transforms.shared_view import expressions_of
from mmduet.io.errors import DataError
from mmduet.io.images import ImageArray
from mmduet.registry import TRANSFORMS

Boxes = NDArray[np.float64]


def crop_boxes(boxes: Boxes, left: int, top: int, width: int, height: int) -> Boxes:
    """(..., 4) xyxy boxes in the frame of a crop, clipped to it."""
    return np.clip(boxes - np.array([left, top] * 2), 0, np.array([width, height] * 2))


def mirror_boxes(boxes: Boxes, width: int) -> Boxes:
    """(..., 4) xyxy boxes in the image mirrored left to right."""
    mirrored = boxes.copy()
    mirrored[..., [0, 2]] = width - boxes[..., [2, 0]]
    return mirrored


def _areas(boxes: Boxes) -> Boxes:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


@TRANSFORMS.register_module()
class RandomTargetCrop(BaseTransform):
    """Crop as the TransVG family does, but never away from the target.

    The sizes are those of the family: in the image resized to a short side drawn from ``short_sides``, both sides of the crop
    are uniform between ``crop_range[0]`` and ``crop_range[1]``. The pixels are cut from the image itself, so that the later
    resize is the only resampling. The family's own test lets 1.65 % of its crops lose the target (it compares x with the row
    offset); here the cropped box must keep ``min_kept`` of its area, which is its IoU with the whole box. Expressions that
    name a position (left, right, top, bottom, middle, as whole words) are never cropped. Of expressions that share a view, none
    may name a position, and the crop keeps every target.

    Args:
        prob: chance of trying, in [0, 1].
        short_sides: short sides of the resized image, pixels.
        crop_range: least and largest side of the crop in it, pixels.
        min_kept: in (0, 1].
        tries: crops drawn before giving up and keeping the whole image.
    """

    def __init__(self, prob: float = 0.5, short_sides: Sequence[int] = (400, 500, 600),
                 crop_range: tuple[int, int] = (384, 600), min_kept: float = 0.5, tries: int = 20) -> None:
        if not (0 <= prob <= 1 and 0 < min_kept <= 1):
            raise ValueError(f'prob must be in [0, 1] and min_kept in (0, 1], got {prob} and {min_kept}')
        self.prob = prob
        self.short_sides = tuple(short_sides)
        self.crop_range = crop_range
        self.min_kept = min_kept
        self.tries = tries

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop image, boxes and distractors, or leave them."""
        if results['img'].shape[:2] != tuple(results['image_shape']):
            raise DataError(f'RandomTargetCrop cuts images as they are in their files, and this one was resized before, from '
                            f'{results["image_shape"]} to {results["img"].shape[:2]}: put it in front of what resizes')
        rng: np.random.Generator = results['rng']
        expressions = expressions_of(results)
        if rng.random() >= self.prob or any(names_a_position(expression['text']) for expression in expressions):
            return results
        window = self._draw(rng, results['image_shape'], np.stack([expression['box'] for expression in expressions]))
        if window is None:
            return results
        left, top, width, height = window
        results['crop_window'] = _crop_window(results, left, top, width, height)
        results['img'] = results['img'][top:top + height, left:left + width]
        results['image_shape'] = (height, width)
        for expression in expressions:
            expression['box'] = crop_boxes(expression['box'], left, top, width, height)
            if expression.get('distractors') is not None:
                kept = crop_boxes(expression['distractors'], left, top, width, height)
                visible = _areas(kept) >= 1
                expression['distractors'] = kept[visible]
                if 'distractor_index' in expression:
                    expression['distractor_index'] = expression['distractor_index'][visible]
        return results

    def _draw(self, rng: np.random.Generator, shape: tuple[int, int], boxes: Boxes) -> tuple[int, int, int, int] | None:
        """(left, top, width, height) of a crop that keeps all (k, 4) targets; None where no try succeeded."""
        scale = rng.choice(self.short_sides) / min(shape)
        height, width = (self._draw_sides(rng, side, scale) for side in shape)
        left = (rng.random(self.tries) * (shape[1] - width + 1)).astype(np.int64)
        top = (rng.random(self.tries) * (shape[0] - height + 1)).astype(np.int64)
        low, high = np.stack([left, top], axis=1), np.stack([left + width, top + height], axis=1)
        inside = np.concatenate([np.maximum(boxes[:, None, :2], low), np.minimum(boxes[:, None, 2:], high)], axis=2)
        good = np.flatnonzero((_areas(inside) >= self.min_kept * np.maximum(_areas(boxes), 1e-9)[:, None]).all(axis=0))
        if not len(good):
            return None
        first = good[0]
        return int(left[first]), int(top[first]), int(width[first]), int(height[first])

    def _draw_sides(self, rng: np.random.Generator, side: int, scale: float) -> NDArray[np.int64]:
        """(tries,) sides of crops in pixels of the image."""
        least, most = self.crop_range
        most = min(round(side * scale), most)
        drawn = rng.integers(min(least, most), most + 1, size=self.tries)
        return np.clip(np.rint(drawn / scale), 1, side).astype(np.int64)


def _crop_window(results: dict[str, Any], left: int, top: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Corners, in pixels of the file, of a crop of what is seen of it."""
    x1, y1, x2, _ = results.get('crop_window', (0, 0, results['img'].shape[1], 0))
    # The right end of the mirrored image is the left end of the file.
    start = x2 - left - width if results.get('flip') else x1 + left
    return start, y1 + top, start + width, y1 + top + height


def resized_shape(shape: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(h, w) with the given long side, the other rounded as the TransVG family rounds."""
    ratio = long_side / max(shape)
    return max(round(shape[0] * ratio), 1), max(round(shape[1] * ratio), 1)


@TRANSFORMS.register_module()
class ResizeLongSide(BaseTransform):
    """Resize the image, keeping its proportions, so that its long side is one of ``sides``.

    Args:
        sides: pixels; one is drawn where there are several.
    """

    def __init__(self, sides: Sequence[int]) -> None:
        if not sides or min(sides) < 1:
            raise ValueError(f'sides must hold positive sizes in pixels, got {sides}')
        self.sides = tuple(sides)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize the pixels; boxes stay in the frame before."""
        side = self.sides[0] if len(self.sides) == 1 else int(results['rng'].choice(self.sides))
        shape = resized_shape(results['image_shape'], side)
        if results['img'].shape[:2] != shape:
            results['img'] = self.resize(results['img'], shape)
        return results

    def resize(self, image: ImageArray, shape: tuple[int, int]) -> ImageArray:
        """Resize to (h, w) by Pillow's bilinear filter with antialiasing, as the authors do, bit for bit."""
        resized = Image.fromarray(np.ascontiguousarray(image)).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        return np.asarray(resized)


@TRANSFORMS.register_module()
class QuickResizeLongSide(ResizeLongSide):
    """``ResizeLongSide`` for training, by PyTorch's filter, which is Pillow's in vector instructions.

    Five times as fast; of 255, pixels are 2 apart from Pillow's at most, and all but one or two in a hundred are equal.
    """

    def resize(self, image: ImageArray, shape: tuple[int, int]) -> ImageArray:
        """See the class."""
        # Cached images cannot be written to, which PyTorch warns of.
        pixels = np.ascontiguousarray(image) if image.flags.writeable else image.copy()
        planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        # What F.interpolate calls; it would write planes, which takes twice the time and must be undone for what follows.
        resized = torch.empty((1, 3, *shape), dtype=torch.uint8, memory_format=torch.channels_last)
        torch.ops.aten._upsample_bilinear2d_aa.out(planes, shape, False, None, None, out=resized)
        return resized[0].permute(1, 2, 0).numpy()


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror the image left to right, its boxes with it, and exchange left and right in the words.

    An expression that speaks of figures or quoted writing, or that cannot be exchanged safely, is never mirrored (see
    ``can_mirror``), nor what shares its view. Adds ``flip`` and ``swapped_words``, how many words were exchanged.

    Args:
        prob: chance of mirroring, in [0, 1].
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror image, boxes and words, or leave them."""
        expressions = expressions_of(results)
        if results['rng'].random() >= self.prob or not all(can_mirror(expression['text']) for expression in expressions):
            return results
        width = results['image_shape'][1]
        results['img'] = cv2.flip(np.ascontiguousarray(results['img']), 1)
        results['flip'] = not results.get('flip', False)
        for expression in expressions:
            expression['box'] = mirror_boxes(expression['box'], width)
            if expression.get('distractors') is not None:
                expression['distractors'] = mirror_boxes(expression['distractors'], width)
            expression['text'], expression['swapped_words'] = swap_sides(expression['text'])
        return results
