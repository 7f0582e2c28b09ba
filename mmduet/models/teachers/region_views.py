"""How a region is shown to an image tower: cut out, as a place within the whole image, or as patches of that.

A crop shows what an object is and not where: "the left cup" is as true of one crop as of another. Views of the whole image keep
the place, at the cost of detail: the tower sees as many pixels of all as it would of the region. Patches of the whole image
cost nothing where that is looked at anyway.
"""
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.teachers.crops import crop_and_resize, enlarge_within
from mmduet.registry import TASK_UTILS


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """What a tower takes: ``size`` is height and width in pixels, ``interpolation`` 'bicubic' or 'bilinear'."""

    size: tuple[int, int]
    interpolation: str

    def __call__(self, images: Tensor, pixel_boxes: Tensor) -> Tensor:
        """See ``crop_and_resize``."""
        return crop_and_resize(images, pixel_boxes, self.size, self.interpolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView(ABC):
    """Regions as a tower sees them, all of a batch at once.

    Attributes:
        scale: a region is its box with width and height times this, as far as the image goes.
    """

    scale: float = 1.2

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def __call__(self, images: Tensor, boxes: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """(N, 3, height, width) in [0, 1].

        Args:
            images: (N, 3, S, S) canvases in [0, 1], of the regions.
            boxes: (N, 4) cxcywh in [0, 1] of the canvas.
            content: (N, 4) int xyxy pixels of the images on their canvases.
            resize: to the tower's size.
        """
        return self.show(images, enlarge_within(boxes, content, images.shape[-1], self.scale), content.to(boxes.dtype), resize)

    @abstractmethod
    def show(self, images: Tensor, region: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """The same for (N, 4) regions, xyxy pixels of the canvas."""


@TASK_UTILS.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class CropView(RegionView):
    """The region alone, cut out."""

    def show(self, images: Tensor, region: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """See ``RegionView.show``."""
        return resize(images, region)


@TASK_UTILS.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class DimmedView(RegionView):
    """The whole image, darkened around the region.

    Attributes:
        brightness: of the surroundings, in [0, 1]; 0 for black.
    """

    brightness: float = 0.4

    def show(self, images: Tensor, region: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """See ``RegionView.show``."""
        covered = _cover(_within(region, content, resize.size), resize.size)
        return resize(images, content) * (self.brightness + (1 - self.brightness) * covered)


@TASK_UTILS.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class BlurredView(RegionView):
    """The whole image, blurred around the region, as in the blur reverse mask of FGVP (Yang et al. 2023).

    Attributes:
        side: the surroundings are as sharp as an image of so many pixels.
    """

    side: int = 8

    def show(self, images: Tensor, region: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """See ``RegionView.show``."""
        covered = _cover(_within(region, content, resize.size), resize.size)
        coarse = Resize(size=(self.side, self.side), interpolation='bilinear')(images, content)
        blurred = F.interpolate(coarse, resize.size, mode='bilinear')
        return torch.lerp(blurred, resize(images, content), covered)


@TASK_UTILS.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedView(RegionView):
    """The whole image with an ellipse drawn around the region (Shtedritski et al. 2023, who found a red circle best).

    Attributes:
        thickness: of the line, in shares of the view's shorter side.
        colour: RGB in [0, 1].
    """

    thickness: float = 0.02
    colour: tuple[float, float, float] = (1.0, 0.0, 0.0)

    def show(self, images: Tensor, region: Tensor, content: Tensor, resize: Resize) -> Tensor:
        """See ``RegionView.show``."""
        corners = _within(region, content, resize.size)
        centre, radius = (corners[:, :2] + corners[:, 2:]) / 2, (corners[:, 2:] - corners[:, :2]) / 2
        y, x = (torch.arange(count, device=region.device) + 0.5 for count in resize.size)
        across, down = (x - centre[:, :1])[:, None], (y - centre[:, 1:])[:, :, None]
        width, height = (radius[:, axis, None, None] for axis in (0, 1))
        # The distance to the ellipse, to first order: what is above its level, by the steepness of the level.
        level = ((across / width).square() + (down / height).square()).clamp(min=1e-6).sqrt()
        steepness = ((across / width.square()).square() + (down / height.square()).square()).clamp(min=1e-12).sqrt() / level
        half = max(self.thickness * min(resize.size), 1.0) / 2
        line = (half + 0.5 - (level - 1).abs() / steepness).clamp(0, 1)[:, None]
        # Filled in on the device: a list would be copied to it, and waited for.
        colour = torch.cat([torch.full_like(line, value) for value in self.colour], dim=1)
        return torch.lerp(resize(images, content), colour, line)


@TASK_UTILS.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class PatchView:
    """The patch features of the whole image under the region, weighed by how much of each it covers (our choice).

    The tower looks at no region then, only once at each image, for all its expressions.

    Attributes:
        scale: as of ``RegionView``; 1, as a patch has seen what is around it.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def pool(self, patches: Tensor, boxes: Tensor, content: Tensor, side: int) -> Tensor:
        """(N, D) of unit norm.

        Args:
            patches: (N, D, h, w) of the images of the regions, which cover the content.
            boxes, content: see ``RegionView.__call__``.
            side: of the canvases, pixels.
        """
        size = (patches.shape[2], patches.shape[3])
        covered = _cover(_within(enlarge_within(boxes, content, side, self.scale), content, size), size)
        return F.normalize((patches * covered).sum(dim=(2, 3)), dim=1)


def _check_scale(scale: float) -> None:
    if scale <= 0:
        raise ValueError(f'scale must be positive, got {scale}')


def _within(region: Tensor, content: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 4) xyxy pixels of the view of the whole image, of regions in pixels of the canvas."""
    low, span = content[:, :2], content[:, 2:] - content[:, :2]
    share = (region.unflatten(1, (2, 2)) - low[:, None]) / span[:, None]
    return torch.stack([share[..., 0] * size[1], share[..., 1] * size[0]], dim=2).flatten(1)


def _cover(corners: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 1, height, width) share of each pixel that lies in its box."""
    rows, columns = (_overlap(corners[:, axis, None], corners[:, axis + 2, None], size[1 - axis]) for axis in (1, 0))
    return (rows[:, :, None] * columns[:, None])[:, None]


def _overlap(start: Tensor, end: Tensor, length: int) -> Tensor:
    """(N, length) share of each pixel of a line that lies between ``start`` and ``end`` (N, 1)."""
    pixel = torch.arange(length, device=start.device)
    return (torch.minimum(end, pixel + 1) - torch.maximum(start, pixel)).clamp(0, 1)
