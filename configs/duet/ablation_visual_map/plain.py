"""The student without distillation."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model = model['student']
