"""QRNet with Swin-S on RefCOCO (unc split)."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcoco_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.qrnet_swin_s import *
    from .._base_.schedules.qrnet_180e import *
