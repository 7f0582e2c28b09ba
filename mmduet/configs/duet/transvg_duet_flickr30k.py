"""TransVG-R50 distilled by DUET from CLIP ViT-B/16, Flickr30K Entities."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from .._base_.duet_heads.transvg_r50 import duet_head
    from .._base_.teachers.clip_vit_b16 import teacher
    from ..transvg.transvg_flickr30k import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
