"""TransVG-R50 on RefCOCO (unc split)."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcoco_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_90e import *
