"""CLIP-VG's training and test transforms: TransVG's at 224 pixels, down to images of 32, and never mirrored.

The authors saw that mirroring harms grounding. They resize the long side to one of the same seven steps below the canvas.
"""
from mmduet.datasets import (
    ColorJitter,
    LoadImage,
    PackGroundingInputs,
    PlaceOnCanvas,
    QuickResizeLongSide,
    RandomTargetCrop,
    ResizeLongSide,
)

train_pipeline = [
    dict(type=LoadImage),
    dict(type=RandomTargetCrop, prob=0.5, short_sides=[400, 500, 600], crop_range=[384, 600]),
    dict(type=QuickResizeLongSide, sides=[224, 192, 160, 128, 96, 64, 32]),
    dict(type=ColorJitter, prob=0.8, strength=0.4),
    dict(type=PlaceOnCanvas, size=224, random=True),
    dict(type=PackGroundingInputs),
]
test_pipeline = [
    dict(type=LoadImage),
    dict(type=ResizeLongSide, sides=[224]),
    dict(type=PlaceOnCanvas, size=224),
    dict(type=PackGroundingInputs),
]
