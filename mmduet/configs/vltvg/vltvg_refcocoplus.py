"""VLTVG-R50 on RefCOCO+ (unc split)."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refcocoplus_unc import *
    from .._base_.default_runtime import *
    from .._base_.models.vltvg_r50 import *
    from .._base_.schedules.vltvg_90e import *
    from .._base_.vltvg_rule import *
