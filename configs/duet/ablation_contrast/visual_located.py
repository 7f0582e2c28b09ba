"""The map before it reads words, through a projector that also reads where the box is; raw semantics."""
from mmengine.config import read_base

from mmduet.models.distill import LocatedRegionProjector

with read_base():
    from ..ablation._base_.distilled import *

model['head']['contrast_projector'].update(type=LocatedRegionProjector, reads='visual')
model['head']['sampler'].update(relative=False)
