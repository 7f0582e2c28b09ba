"""The tiny training whose backbone and words rest for an epoch, after which every rank writes its weights down."""
from mmengine.config import read_base

from mmduet.engine import FreezeHook

# ruff: noqa: F403, F405
with read_base():
    from .tiny_distributed_config import *

custom_hooks.append(dict(type=FreezeHook, parts=['backbone', 'text_encoder'], epochs=1))
