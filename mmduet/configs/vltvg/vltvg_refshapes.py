"""The tiny VLTVG on RefShapes."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refshapes import *
    from .._base_.default_runtime import *
    from .._base_.models.vltvg_tiny import *
    from .._base_.schedules.refshapes import *
