"""What registries find of this package: imported when the first is looked up, as it needs torch and MMDetection."""
from mmduet.engine.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    CorruptCheckpointError,
    UnreadableCheckpointError,
)
from mmduet.engine.hooks.checkpoint_hook import GroundingCheckpointHook
from mmduet.engine.hooks.freeze_hook import FreezeHook
from mmduet.engine.hooks.logger_hook import GroundingLoggerHook
from mmduet.engine.hooks.progress_hook import ProgressHook
from mmduet.engine.hooks.runtime_info_hook import GroundingRuntimeInfoHook, NonFiniteLossError
from mmduet.engine.hooks.visualization_hook import GroundingVisualizationHook
from mmduet.engine.loops import GroundingTrainLoop
from mmduet.engine.mixed_precision import MixedPrecisionTestLoop
from mmduet.engine.optim import GroundingOptimWrapperConstructor, MixedPrecisionOptimWrapper
from mmduet.engine.runner import GroundingRunner

__all__ = ['CheckpointError', 'CheckpointMismatchError', 'CorruptCheckpointError', 'FreezeHook', 'GroundingCheckpointHook',
           'GroundingLoggerHook', 'GroundingOptimWrapperConstructor', 'GroundingRunner', 'GroundingRuntimeInfoHook',
           'GroundingTrainLoop', 'GroundingVisualizationHook', 'MixedPrecisionOptimWrapper',
           'MixedPrecisionTestLoop', 'NonFiniteLossError', 'ProgressHook', 'UnreadableCheckpointError']
