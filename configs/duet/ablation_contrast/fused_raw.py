"""The map that has read the words; raw semantics."""
from mmengine.config import read_base

with read_base():
    from ..ablation._base_.distilled import *

model['head']['sampler'].update(relative=False)
