"""VLTVG-R50 on RefCOCOg (umd split)."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocog_umd import *
    from .._base_.default_runtime import *
    from .._base_.models.vltvg_r50 import *
    from .._base_.schedules.vltvg_90e import *
    from .._base_.vltvg_rule import *

# DETR's weights, trained without the validation and test images of RefCOCOg.
model.pretrained = 'checkpoints/detr_r50_gref.safetensors'
pretrain_excludes = ['refcocog_umd', 'refcocog_google']
