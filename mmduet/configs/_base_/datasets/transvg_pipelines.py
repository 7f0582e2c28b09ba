"""Training and test transforms of the TransVG family at 640 pixels, without their bugs."""
from mmduet.datasets import (
    ColorJitter,
    LoadImage,
    PackGroundingInputs,
    PlaceOnCanvas,
    QuickResizeLongSide,
    RandomFlip,
    RandomTargetCrop,
    ResizeLongSide,
)

train_pipeline = [
    dict(type=LoadImage),
    dict(type=RandomTargetCrop, prob=0.5, short_sides=[400, 500, 600], crop_range=[384, 600]),
    dict(type=QuickResizeLongSide, sides=[640, 608, 576, 544, 512, 480, 448]),
    dict(type=ColorJitter, prob=0.8, strength=0.4),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PlaceOnCanvas, size=640, random=True),
    dict(type=PackGroundingInputs),
]
test_pipeline = [
    dict(type=LoadImage),
    dict(type=ResizeLongSide, sides=[640]),
    dict(type=PlaceOnCanvas, size=640),
    dict(type=PackGroundingInputs),
]
