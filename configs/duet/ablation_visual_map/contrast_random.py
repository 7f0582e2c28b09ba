"""Both halves; the samples of the region contrast are drawn at random within the classes."""
from mmengine.config import read_base

from mmduet.models.task_modules import RandomSampler

with read_base():
    from ._base_.distilled import *

model['head']['sampler'].update(type=RandomSampler)
