"""Running: training loop, hooks, optimizer, checkpoints; and configs, read and checked before any of it is imported."""
from importlib import import_module
from typing import TYPE_CHECKING

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

    def __getattr__(name: str) -> object:
        """A part of the engine, imported when it is asked for."""
        if name not in __all__:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module('mmduet.engine.components'), name)
