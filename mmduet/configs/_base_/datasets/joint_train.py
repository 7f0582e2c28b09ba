"""Trained on all five data sets without any image that one of them is tested on; chosen on RefCOCO's val, tested as RefCOCO."""
from mmengine.config import read_base

from mmduet.datasets import GroundingDataset, JointDataset

with read_base():
    from .refcoco_unc import *

roots = ['data/refcoco_unc', 'data/refcocoplus_unc', 'data/refcocog_umd', 'data/referit', 'data/flickr30k']
train_dataloader['dataset'] = dict(
    type=JointDataset,
    datasets=[dict(type=GroundingDataset, data_root=root, splits=['train'], pipeline=train_pipeline) for root in roots],
    exclude=[dict(data_root=root) for root in roots])
