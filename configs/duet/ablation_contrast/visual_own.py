"""The map before it reads words, through a projector of the contrast's own; raw semantics."""
from mmengine.config import read_base

with read_base():
    from ..ablation._base_.distilled import *

model['head']['contrast_projector'].update(reads='visual')
model['head']['sampler'].update(relative=False)
