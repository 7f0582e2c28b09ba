"""As ``fused_relative``, with the semantics of annotated boxes read from their crops: wants a cache with ``--distractors``."""
from mmengine.config import read_base

with read_base():
    from .fused_relative import *

model['head']['sampler'].update(read_crops=True)
