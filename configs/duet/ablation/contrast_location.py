"""Both halves; the samples of the region contrast are drawn by location alone."""
from mmengine.config import read_base

from mmduet.models.task_modules import LocationSampler

with read_base():
    from ._base_.distilled import *

model['head']['sampler'].update(type=LocationSampler)
