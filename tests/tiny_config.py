"""Two epochs of the tiny grounder with the default runtime."""
# ruff: noqa: F403, F405
from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import TestLoop, ValLoop
from torch.optim import AdamW

from mmduet.datasets import (
    EpochSampler,
    GroundingDataset,
    LoadImage,
    PackGroundingInputs,
    PlaceOnCanvas,
    RandomFlip,
    ResizeLongSide,
)
from mmduet.engine import GroundingOptimWrapperConstructor, GroundingTrainLoop
from mmduet.evaluation import GroundingMetric
from tests.tiny_grounder import TinyGrounder

with read_base():
    from mmduet.configs._base_.default_runtime import *

model = dict(type=TinyGrounder)
test_pipeline = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=[32]), dict(type=PlaceOnCanvas, size=32),
                 dict(type=PackGroundingInputs)]
train_pipeline = [test_pipeline[0], dict(type=RandomFlip), *test_pipeline[1:]]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type=EpochSampler, shuffle=True), drop_last=True,
    dataset=dict(type=GroundingDataset, data_root='data/tiny', splits=['train'], pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=5, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=GroundingDataset, data_root='data/tiny', splits=['val'], pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type=GroundingMetric)
test_evaluator = dict(type=GroundingMetric)
train_cfg = dict(type=GroundingTrainLoop, max_epochs=2)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper, constructor=GroundingOptimWrapperConstructor,
    optimizer=dict(type=AdamW, lr=1e-2, weight_decay=1e-4, fused=True),
    paramwise_cfg=dict(custom_keys=dict(text_encoder=dict(lr_mult=0.1), backbone=dict(lr_mult=0.1))))
param_scheduler = [dict(type=MultiStepLR, by_epoch=True, milestones=[1], gamma=0.1)]
default_hooks.logger.update(interval=2)
