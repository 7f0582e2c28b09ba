"""TransVG-R50 on RefCOCO+ (unc split), 180 epochs."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocoplus_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_180e import *
