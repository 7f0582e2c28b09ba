"""The tiny VLTVG distilled by DUET from the tiny CLIP, RefShapes."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from .._base_.duet_heads.vltvg_tiny import duet_head
    from .._base_.teachers.clip_tiny_refshapes import teacher, teacher_pretrain_excludes  # noqa: F401
    from ..vltvg.vltvg_refshapes import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
