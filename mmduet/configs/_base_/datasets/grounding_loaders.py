"""Loaders and evaluators of any grounding data set; a data set's config says its folder and its splits."""
from mmduet.datasets import EpochSampler, GroundingDataset, ImageOrderSampler, grounding_collate
from mmduet.evaluation import GroundingMetric

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=EpochSampler, shuffle=True),
    collate_fn=dict(type=grounding_collate),
    dataset=dict(type=GroundingDataset),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=ImageOrderSampler),
    collate_fn=dict(type=grounding_collate),
    dataset=dict(type=GroundingDataset, test_mode=True),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type=ImageOrderSampler),
    collate_fn=dict(type=grounding_collate),
    dataset=dict(type=GroundingDataset, test_mode=True),
)
val_evaluator = dict(type=GroundingMetric)
test_evaluator = dict(type=GroundingMetric)
