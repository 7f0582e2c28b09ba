"""The schedule of TransVG's authors: 90 epochs, a tenth of the rate after 60; backbone, DETR encoder and BERT at a tenth.

The rates are for 64 expressions per update, the authors' eight GPUs with eight each, and scaled where an update has another
number, as on one GPU; the log says by how much. Gradients are not clipped, as in theirs.
"""
from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import TestLoop, ValLoop
from torch.optim import AdamW

from mmduet.engine import GroundingOptimWrapperConstructor, GroundingTrainLoop

train_cfg = dict(type=GroundingTrainLoop, max_epochs=90, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    constructor=GroundingOptimWrapperConstructor,
    optimizer=dict(type=AdamW, lr=1e-4, weight_decay=1e-4, fused=True),
    paramwise_cfg=dict(custom_keys=dict(visual_encoder=dict(lr_mult=0.1), text_encoder=dict(lr_mult=0.1))))
param_scheduler = [dict(type=MultiStepLR, by_epoch=True, milestones=[60], gamma=0.1)]
auto_scale_lr = dict(enable=True, base_batch_size=64)
