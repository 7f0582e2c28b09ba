"""MMDetection's Grounding DINO with Swin-T, distilled by DUET from CLIP ViT-B/16, RefCOCO (unc split)."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from mmduet.configs._base_.duet_head import duet_head
    from mmduet.configs._base_.teachers.clip_vit_b16 import teacher
    from .grounding_dino_refcoco import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
