"""The tiny grounder distilled from the tiny CLIP, without any resize."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder
from tests.tiny_grounder import TinyGrounder

# ruff: noqa: F403
with read_base():
    from mmduet.configs._base_.duet_head import duet_head
    from mmduet.configs._base_.teachers.clip_tiny_refshapes import teacher

    from .tiny_config import *

model = dict(type=DistilledGrounder, student=dict(type=TinyGrounder, dropout=0.0), teacher=teacher, head=duet_head)
