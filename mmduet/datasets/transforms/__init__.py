"""Transforms of image, expression and box; each draws from ``results['rng']`` only."""
from mmduet.datasets.transforms.color import ColorJitter, RandomBlur
from mmduet.datasets.transforms.direction_words import can_mirror, names_a_position, swap_sides
from mmduet.datasets.transforms.geometry import (
    QuickResizeLongSide,
    RandomFlip,
    RandomTargetCrop,
    ResizeLongSide,
    resize_image,
    resized_shape,
)
from mmduet.datasets.transforms.load_image import LoadImage
from mmduet.datasets.transforms.packing import PackGroundingInputs, PlaceOnCanvas

__all__ = [
    'ColorJitter', 'LoadImage', 'PackGroundingInputs', 'PlaceOnCanvas', 'QuickResizeLongSide', 'RandomBlur', 'RandomFlip',
    'RandomTargetCrop', 'ResizeLongSide', 'can_mirror', 'names_a_position', 'resize_image', 'resized_shape', 'swap_sides',
]
