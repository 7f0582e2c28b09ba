"""RefShapes in minutes: 6 epochs, 3,000 steps of 16; the pretrained visual encoder at three tenths of the rate."""
from mmengine.config import read_base

with read_base():
    from .small_20e import *

max_epochs = 6
train_cfg.update(max_epochs=max_epochs, val_interval=2)
optim_wrapper.update(paramwise_cfg=dict(custom_keys=dict(visual_encoder=dict(lr_mult=0.3))))
optim_wrapper['optimizer'].update(betas=(0.9, 0.98), weight_decay=0.02)
param_scheduler[1].update(end=max_epochs)
