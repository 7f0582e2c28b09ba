"""QRNet with Swin-S on RefCOCO+ (unc split), the rate dropped after 120 epochs."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocoplus_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.qrnet_swin_s import *
    from .._base_.schedules.qrnet_180e import *

param_scheduler[0].update(milestones=[120])
