"""The map that has read the words; random samples."""
from mmengine.config import read_base

from mmduet.models.task_modules import RandomSampler

with read_base():
    from ..ablation._base_.distilled import *

model['head']['sampler'].update(type=RandomSampler, relative=False)
