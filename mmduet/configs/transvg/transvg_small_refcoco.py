"""A small TransVG at 192 px from random weights and without augmentation: memorises a handful of images on two cores."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcoco_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_tiny import *
    from .._base_.schedules.small_20e import *

model.update(pretrained=None, feature_size=12)
model.visual_encoder.update(in_channels=128)
model.visual_encoder.backbone.update(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2, ))
model.text_encoder.update(vocab=None)
test_pipeline[1].update(sides=[192])
test_pipeline[2].update(size=192)
train_dataloader.update(batch_size=10, num_workers=1)
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader['dataset'].update(pipeline=test_pipeline)
train_cfg.update(max_epochs=200, val_interval=20)
param_scheduler[1].update(end=200)
auto_scale_lr.update(base_batch_size=10)
default_hooks.checkpoint.update(interval=20)
