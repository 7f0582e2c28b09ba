"""The map that has read the words, at the predicted box as anchor; raw semantics."""
from mmengine.config import read_base

from mmduet.models.distill import RegionAnchor

with read_base():
    from ..ablation._base_.distilled import *

model['head']['anchor'].update(type=RegionAnchor)
model['head']['sampler'].update(relative=False)
