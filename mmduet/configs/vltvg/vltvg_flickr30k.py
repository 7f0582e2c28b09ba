"""VLTVG-R50 on Flickr30K Entities."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.flickr30k import *
    from .._base_.default_runtime import *
    from .._base_.models.vltvg_r50 import *
    from .._base_.schedules.vltvg_90e import *
    from .._base_.vltvg_rule import *

# DETR's weights as for ReferItGame. The images of Flickr30k were never compared with those of COCO: data overlap unknown.
model.pretrained = 'checkpoints/detr_r50_referit.safetensors'
pretrain_excludes = None
