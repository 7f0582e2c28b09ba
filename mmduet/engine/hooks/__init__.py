"""Hooks of the runner."""
from mmduet.engine.hooks.checkpoint_hook import GroundingCheckpointHook
from mmduet.engine.hooks.freeze_hook import FreezeHook
from mmduet.engine.hooks.runtime_info_hook import GroundingRuntimeInfoHook, NonFiniteLossError
from mmduet.engine.hooks.visualization_hook import GroundingVisualizationHook

__all__ = ['FreezeHook', 'GroundingCheckpointHook', 'GroundingRuntimeInfoHook', 'GroundingVisualizationHook',
           'NonFiniteLossError']
