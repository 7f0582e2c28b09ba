"""The region contrast with SLA samples alone."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model['head'].update(semantic=None)
