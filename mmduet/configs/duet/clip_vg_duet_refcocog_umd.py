"""CLIP-VG distilled by DUET from CLIP ViT-B/16, RefCOCOg (umd split)."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from .._base_.duet_heads.clip_vg_vit_b16 import duet_head
    from .._base_.teachers.clip_vit_b16 import teacher
    from ..clip_vg.clip_vg_refcocog_umd import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
