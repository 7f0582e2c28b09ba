"""How everything runs: loop, hooks, logs. A leaf config rarely touches it; the command line does."""
from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, ParamSchedulerHook
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer

from mmduet.engine import (
    GroundingCheckpointHook, GroundingLoggerHook, GroundingRunner, GroundingRuntimeInfoHook, GroundingVisualizationHook,
    ProgressHook)

runner_type = GroundingRunner
default_scope = 'mmduet'
randomness = dict(seed=0)
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))

default_hooks = dict(
    runtime_info=dict(type=GroundingRuntimeInfoHook),
    timer=dict(type=IterTimerHook),
    sampler_seed=dict(type=DistSamplerSeedHook),
    logger=dict(type=GroundingLoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    progress=dict(type=ProgressHook),
    visualization=dict(type=GroundingVisualizationHook, max_samples=12),
    checkpoint=dict(type=GroundingCheckpointHook, interval=1, max_keep_ckpts=2, save_best='acc@0.5'))

log_processor = dict(type=LogProcessor, window_size=50, by_epoch=True, log_with_hierarchy=True)
visualizer = dict(type=Visualizer, vis_backends=[dict(type=LocalVisBackend), dict(type=TensorboardVisBackend)])

load_from = None
resume = False
