"""TransVG-R50 on RefCOCOg (umd split), 40 tokens."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocog_umd import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_90e import *

# DETR's weights, trained without the validation and test images of RefCOCOg.
model.pretrained = 'checkpoints/detr_r50_gref.safetensors'
pretrain_excludes = ['refcocog_umd', 'refcocog_google']
model.text_encoder.max_tokens = 40
