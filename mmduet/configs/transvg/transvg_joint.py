"""TransVG-R50 on all five data sets at once, without their val and test images; 40 tokens."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.joint_train import *
    from .._base_.default_runtime import *
    from .._base_.models.transvg_r50 import *
    from .._base_.schedules.transvg_90e import *

model.text_encoder.max_tokens = 40
