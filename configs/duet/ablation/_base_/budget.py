"""What all arms of the RefShapes ablation share but model and data: a budget of steps, few and cheap interruptions.

``projects/ablation/ablate.py`` trains with this: ``--steps`` changes the budget and stretches the schedule with it.
"""
from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.visualization import Visualizer

from mmduet.engine import GroundingRuntimeInfoHook, GroundingTrainLoop

steps = 6000
# Epochs are no limit: a small training set is seen more often in the same number of steps.
train_cfg = dict(type=GroundingTrainLoop, max_epochs=100_000, max_iters=steps)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=steps // 10),
    dict(type=CosineAnnealingLR, eta_min_ratio=0.01, by_epoch=False, begin=steps // 10, end=steps)]
default_hooks = dict(
    runtime_info=dict(type=GroundingRuntimeInfoHook),
    timer=dict(type=IterTimerHook),
    sampler_seed=dict(type=DistSamplerSeedHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    checkpoint=None)
visualizer = dict(type=Visualizer, vis_backends=[])

ablation = dict(
    # Val is looked at so often on its first expressions, and once more, whole, at the end.
    curve_points=5,
    curve_expressions=500,
    # Steps of this arm over those of the others.
    budget_factor=1.0)
