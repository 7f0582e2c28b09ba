"""CLIP-VG with CLIP ViT-B/16 on RefCOCO+ (unc split)."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocoplus_unc import *
    from .._base_.datasets.clip_vg_pipelines import *
    from .._base_.default_runtime import *
    from .._base_.models.clip_vg_vit_b16 import *
    from .._base_.schedules.clip_vg_110e import *

train_dataloader.update(batch_size=64)
train_dataloader['dataset'].update(pipeline=train_pipeline)
val_dataloader['dataset'].update(pipeline=test_pipeline)
test_dataloader['dataset'].update(pipeline=test_pipeline)
