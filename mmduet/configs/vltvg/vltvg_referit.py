"""VLTVG-R50 on ReferItGame."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.referit import *
    from .._base_.default_runtime import *
    from .._base_.models.vltvg_r50 import *
    from .._base_.schedules.vltvg_90e import *
    from .._base_.vltvg_rule import *

# DETR's weights, trained without the validation and test images of ReferItGame.
model.pretrained = 'checkpoints/detr_r50_referit.safetensors'
pretrain_excludes = ['referit']
