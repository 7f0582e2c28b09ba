"""Feature distillation of the expression alone."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model['head'].update(region=None)
model['head']['semantic'].update(region_weight=0, image_weight=0, relation_weight=0)
