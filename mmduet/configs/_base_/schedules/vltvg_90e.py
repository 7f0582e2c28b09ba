"""The schedule of VLTVG's authors: TransVG's with clipped gradients, both pretrained branches frozen for 10 epochs.

The rates are for 64 expressions per step, the authors' four GPUs with sixteen each.
"""
from mmengine.config import read_base

from mmduet.engine import FreezeHook

with read_base():
    from .transvg_90e import *

optim_wrapper.update(clip_grad=dict(max_norm=0.1))
custom_hooks = [dict(type=FreezeHook, parts=['visual_encoder', 'text_encoder'], epochs=10)]
