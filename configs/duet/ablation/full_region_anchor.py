"""Full DUET with the map at the predicted box as anchor."""
from mmengine.config import read_base

from mmduet.models.distill import RegionAnchor

with read_base():
    from ._base_.distilled import *

model['head']['anchor'].update(type=RegionAnchor)
