"""For small students trained from random weights: 20 epochs at one rate, warmed up and annealed step by step.

The rate is for 16 expressions per step.
"""
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import TestLoop, ValLoop
from torch.optim import AdamW

from mmduet.engine import GroundingOptimWrapperConstructor, GroundingTrainLoop

max_epochs = 20
train_cfg = dict(type=GroundingTrainLoop, max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    constructor=GroundingOptimWrapperConstructor,
    optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(type=CosineAnnealingLR, eta_min_ratio=0.01, by_epoch=True, begin=1, end=max_epochs, convert_to_iter_based=True)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
