"""Full DUET with the map at the predicted box as anchor, and the gradient of the contrast into the box."""
from mmengine.config import read_base

from mmduet.models.distill import DifferentiableRegionAnchor

with read_base():
    from ._base_.distilled import *

model['head']['anchor'].update(type=DifferentiableRegionAnchor)
