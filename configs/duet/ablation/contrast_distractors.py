"""Both halves; the negatives of the region contrast are the scene's other objects, as annotated, and random regions."""
from mmengine.config import read_base

from mmduet.models.task_modules import DistractorSampler

with read_base():
    from ._base_.distilled import *

model['head']['sampler'].update(type=DistractorSampler)
