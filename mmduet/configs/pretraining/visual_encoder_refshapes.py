"""The visual encoder that the tiny student starts from: dense detection on images that no student has."""
from mmengine.config import read_base
from mmengine.dataset import DefaultSampler, pseudo_collate

from mmduet.refshapes.region_dataset import RefShapesRegionDataset
from mmduet.refshapes.visual_pretrainer import VisualPretrainer

with read_base():
    from .._base_.default_runtime import *
    from .._base_.models.transvg_tiny import visual_encoder
    from .._base_.schedules.small_20e import *

model = dict(type=VisualPretrainer, visual_encoder=visual_encoder)
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    drop_last=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type=pseudo_collate),
    dataset=dict(type=RefShapesRegionDataset, length=32000, seed=200, split='region', crops=1))
max_epochs = 4
train_cfg.update(max_epochs=max_epochs)
optim_wrapper.optimizer.update(lr=2e-3, weight_decay=0.01)
param_scheduler[1].update(end=max_epochs)
auto_scale_lr.update(base_batch_size=64)
val_cfg = None
test_cfg = None
del default_hooks['visualization']
default_hooks.checkpoint.update(save_best=None)
