"""The semantic half alone: text, region, image and relation."""
from mmengine.config import read_base

with read_base():
    from ._base_.distilled import *

model['head'].update(region=None)
