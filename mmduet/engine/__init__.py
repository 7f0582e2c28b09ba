"""Running: training loop, hooks, optimizer, checkpoints."""
from mmduet.engine.checkpoint import CheckpointError, CheckpointMismatchError, CorruptCheckpointError
from mmduet.engine.hooks import (
    FreezeHook,
    GroundingCheckpointHook,
    GroundingRuntimeInfoHook,
    GroundingVisualizationHook,
    NonFiniteLossError,
)
from mmduet.engine.loops import GroundingTrainLoop
from mmduet.engine.optim import GroundingOptimWrapperConstructor, MixedPrecisionOptimWrapper
from mmduet.engine.runner import GroundingRunner

__all__ = [
    'CheckpointError',
    'CheckpointMismatchError',
    'CorruptCheckpointError',
    'FreezeHook',
    'GroundingCheckpointHook',
    'GroundingOptimWrapperConstructor',
    'GroundingRunner',
    'GroundingRuntimeInfoHook',
    'GroundingTrainLoop',
    'GroundingVisualizationHook',
    'MixedPrecisionOptimWrapper',
    'NonFiniteLossError',
]
