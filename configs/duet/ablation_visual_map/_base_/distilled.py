"""The ablation of the first default: the contrast reads the map before it reads words, through the shared projector.

The samples are drawn by semantics as they are. Superseded on val by what configs/_base_/duet_head.py says.
"""
from mmengine.config import read_base

with read_base():
    from ...ablation._base_.distilled import *

model['head'].update(contrast_projector=None)
model['head']['sampler'].update(relative=False)
model['head']['region'].update(weight=0.5)
