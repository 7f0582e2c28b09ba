"""RefShapes, the embedded data set: images of 64 x 64 pixels, mirrored at random, on a canvas of the same size."""
from mmengine.config import read_base

from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, RandomFlip, ResizeLongSide

with read_base():
    from .grounding_loaders import *

data_root = 'data/refshapes'
test_pipeline = [
    dict(type=LoadImage),
    dict(type=ResizeLongSide, sides=[64]),
    dict(type=PlaceOnCanvas, size=64),
    dict(type=PackGroundingInputs),
]
train_pipeline = [test_pipeline[0], dict(type=RandomFlip, prob=0.5), *test_pipeline[1:]]
train_dataloader.update(batch_size=16, num_workers=1)
val_dataloader.update(batch_size=64, num_workers=1)
test_dataloader.update(batch_size=64, num_workers=1)
# The standard set has 32,000; figures without a word on size are for the first 8,000.
train_dataloader['dataset'].update(data_root=data_root, splits=['train'], first=8000, pipeline=train_pipeline)
val_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
test_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
