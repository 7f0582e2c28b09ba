"""Full DUET: semantic distillation and region contrast with SLA samples."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *
