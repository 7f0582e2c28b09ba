"""TransVG-R50 on ReferItGame."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.referit import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_90e import *

# DETR's weights, trained without the validation and test images of ReferItGame.
model.pretrained = 'checkpoints/detr_r50_referit.safetensors'
pretrain_excludes = ['referit']
