"""Both halves; the samples of the region contrast are drawn by semantics alone."""
from mmengine.config import read_base

from mmduet.models.task_modules import SemanticsSampler

with read_base():
    from ._base_.distilled import *

model['head']['sampler'].update(type=SemanticsSampler)
