"""The schedule of CLIP-VG's authors: 110 epochs, one rate for all that is trained, annealed by a cosine epoch by epoch.

The rate is for 320 expressions per step, the authors' five GPUs with 64 each. Gradients are not clipped, as in theirs.
"""
from mmengine.config import read_base
from mmengine.optim import CosineAnnealingLR

with read_base():
    from .transvg_90e import *

train_cfg.update(max_epochs=110)
optim_wrapper['optimizer'].update(lr=2.5e-4)
optim_wrapper.update(paramwise_cfg=None)
param_scheduler = [dict(type=CosineAnnealingLR, by_epoch=True, T_max=110, eta_min=0)]
auto_scale_lr.update(base_batch_size=320)
