"""Running: training loop, hooks, optimizer, checkpoints; and configs, read and checked before any of it is imported."""
from typing import TYPE_CHECKING

from mmduet.lazy_names import lazy_names

__all__ = ['CheckpointError', 'CheckpointMismatchError', 'CorruptCheckpointError', 'FreezeHook', 'GroundingCheckpointHook',
           'GroundingLoggerHook', 'GroundingOptimWrapperConstructor', 'GroundingRunner', 'GroundingRuntimeInfoHook',
           'GroundingTrainLoop', 'GroundingVisualizationHook', 'MixedPrecisionOptimWrapper',
           'MixedPrecisionTestLoop', 'NonFiniteLossError', 'ProgressHook', 'UnreadableCheckpointError']

if TYPE_CHECKING:
    from mmduet.engine.components import (
        CheckpointError,
        CheckpointMismatchError,
        CorruptCheckpointError,
        FreezeHook,
        GroundingCheckpointHook,
        GroundingLoggerHook,
        GroundingOptimWrapperConstructor,
        GroundingRunner,
        GroundingRuntimeInfoHook,
        GroundingTrainLoop,
        GroundingVisualizationHook,
        MixedPrecisionOptimWrapper,
        MixedPrecisionTestLoop,
        NonFiniteLossError,
        ProgressHook,
        UnreadableCheckpointError,
    )
else:  # hidden from type checkers, to which any name would be one of ours
    __getattr__ = lazy_names(__name__, dict.fromkeys(__all__, 'components'))
