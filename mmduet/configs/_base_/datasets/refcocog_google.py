"""RefCOCOg, google split: trained on train, chosen and tested on val, whose images are in train too (other objects)."""
from mmengine.config import read_base

with read_base():
    from .grounding_loaders import *
    from .transvg_pipelines import *

data_root = 'data/refcocog_google'
train_dataloader['dataset'].update(data_root=data_root, splits=['train'], pipeline=train_pipeline)
val_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
test_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
