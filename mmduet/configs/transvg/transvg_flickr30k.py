"""TransVG-R50 on Flickr30K Entities."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.flickr30k import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_90e import *

# DETR's weights as for ReferItGame. The images of Flickr30k were never compared with those of COCO: data overlap unknown.
model.pretrained = 'checkpoints/detr_r50_referit.safetensors'
pretrain_excludes = None
