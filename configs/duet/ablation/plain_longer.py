"""The student without distillation, for as many steps as the time of the distilled arm buys."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model = model['student']
ablation.update(budget_factor=1.13)
