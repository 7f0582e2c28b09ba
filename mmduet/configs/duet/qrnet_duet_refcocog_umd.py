"""QRNet distilled by DUET from CLIP ViT-B/16, RefCOCOg (umd split), 40 tokens."""
from mmengine.config import read_base

from mmduet.models import DistilledGrounder

with read_base():
    from .._base_.duet_heads.qrnet_swin_s import duet_head
    from .._base_.teachers.clip_vit_b16 import teacher
    from ..qrnet.qrnet_refcocog_umd import *

model = dict(type=DistilledGrounder, student=model, teacher=teacher, head=duet_head)
