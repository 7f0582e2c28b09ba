"""The map before it reads words, through a projector that also reads where the box is; raw semantics."""
from mmengine.config import read_base

from mmduet.models.distill import LocatedRegionProjector

with read_base():
    from ..ablation._base_.distilled import *

model['head'].update(contrast_map='visual', contrast_projector=dict(type=LocatedRegionProjector))
model['head']['sampler'].update(relative=False)
