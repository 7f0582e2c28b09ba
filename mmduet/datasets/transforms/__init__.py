"""Transforms of photo, expression and box; each draws from ``results['rng']`` only."""
from mmduet.datasets.transforms.color import ColorJitter, RandomBlur
from mmduet.datasets.transforms.direction_words import can_mirror, names_a_place, swap_sides
from mmduet.datasets.transforms.geometry import (
    QuickResizeLongSide,
    RandomFlip,
    RandomTargetCrop,
    ResizeLongSide,
    resize_photo,
    resized_shape,
)
from mmduet.datasets.transforms.load_photo import LoadPhoto
from mmduet.datasets.transforms.packing import PackGroundingInputs, PlaceOnCanvas

__all__ = [
    'ColorJitter', 'LoadPhoto', 'PackGroundingInputs', 'PlaceOnCanvas', 'QuickResizeLongSide', 'RandomBlur', 'RandomFlip',
    'RandomTargetCrop', 'ResizeLongSide', 'can_mirror', 'names_a_place', 'resize_photo', 'resized_shape', 'swap_sides',
]
