"""The tiny QRNet on RefShapes."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.refshapes import *
    from .._base_.default_runtime import *
    from .._base_.models.qrnet_tiny import *
    from .._base_.schedules.refshapes import *

optim_wrapper.update(paramwise_cfg=None)  # no part is pretrained
