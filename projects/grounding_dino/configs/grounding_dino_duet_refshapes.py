"""The tiny Grounding DINO distilled by DUET from the tiny CLIP, RefShapes."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from mmduet.configs._base_.duet_head import duet_head
    from mmduet.configs._base_.teachers.clip_tiny_refshapes import teacher, teacher_pretrain_excludes  # noqa: F401
    from .grounding_dino_refshapes import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
