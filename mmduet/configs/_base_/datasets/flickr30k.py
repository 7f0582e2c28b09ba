"""Flickr30K Entities: trained on train, chosen on val, tested on val and test; the data root's protocol holds."""
from mmengine.config import read_base

with read_base():
    from .grounding_loaders import *
    from .transvg_pipelines import *

data_root = 'data/flickr30k'
train_dataloader['dataset'].update(data_root=data_root, splits=['train'], pipeline=train_pipeline)
val_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
test_dataloader['dataset'].update(data_root=data_root, splits=['val', 'test'], pipeline=test_pipeline)
