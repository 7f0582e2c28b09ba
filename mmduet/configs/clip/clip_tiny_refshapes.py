"""The tiny CLIP that teaches on RefShapes, trained on images that no student sees (README.md beside this file)."""
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

from mmduet.refshapes.region_dataset import RefShapesRegionDataset
from mmduet.refshapes.region_retrieval_metric import RegionRetrievalMetric
from mmduet.refshapes.clip_pretrainer import CLIPPretrainer

max_iters = 1200
batch_size = 64

model = dict(
    type=CLIPPretrainer,
    model='clip_tiny_refshapes',
    model_config='mmduet/refshapes/tiny_clip/clip_tiny_refshapes.json',
    crop_scale=1.2,
    caption_weight=0.5,
    dense_weight=1.0,
    data_preprocessor=dict(type=BaseDataPreprocessor))

# Every step has new images: making them costs less than reading them from disk.
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type=pseudo_collate),
    dataset=dict(type=RefShapesRegionDataset, length=max_iters * batch_size, seed=100, split='region', crops=1, jitter=0.25))
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type=pseudo_collate),
    dataset=dict(type=RefShapesRegionDataset, length=500, seed=100, split='region_val'))
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    collate_fn=dict(type=pseudo_collate),
    dataset=dict(type=RefShapesRegionDataset, length=2000, seed=101, split='region_val'))
# Arrows apart: they are the only shapes that a mirror changes.
val_evaluator = dict(type=RegionRetrievalMetric, groups=dict(arrow=list(range(70, 80))))
test_evaluator = dict(type=RegionRetrievalMetric, groups=dict(arrow=list(range(70, 80))))

train_cfg = dict(type=IterBasedTrainLoop, max_iters=max_iters, val_interval=max_iters // 4)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.02),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type=CosineAnnealingLR, eta_min_ratio=0.02, by_epoch=False, begin=100, end=max_iters),
]

default_scope = 'mmduet'
default_hooks = dict(
    logger=dict(type=LoggerHook, interval=50),
    checkpoint=dict(type=CheckpointHook, by_epoch=False, interval=max_iters, max_keep_ckpts=1))
randomness = dict(seed=0)
