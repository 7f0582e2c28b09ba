"""QRNet with Swin-S on RefCOCOg (umd split), 40 tokens."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocog_umd import *
    from .._base_.default_runtime import *
    from .._base_.models.qrnet_swin_s import *
    from .._base_.schedules.qrnet_180e import *

model.text_encoder.max_tokens = 40
