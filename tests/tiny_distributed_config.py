"""The tiny training, after which every rank writes its weights down."""
from mmengine.config import read_base

from tests.tiny_grounder import RankWeightsHook

# ruff: noqa: F403, F405
with read_base():
    from .tiny_config import *

custom_hooks = [dict(type=RankWeightsHook)]
default_hooks.logger.update(interval=1)
