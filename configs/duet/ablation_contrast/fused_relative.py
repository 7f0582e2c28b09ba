"""The map that has read the words; semantics stretched over the candidates of an image: the default."""
from mmengine.config import read_base

with read_base():
    from ..ablation._base_.distilled import *
