"""Feature distillation of text, region and image, without the relation term."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model['head'].update(region=None)
model['head']['semantic'].update(relation_weight=0)
