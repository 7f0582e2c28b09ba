"""RefCOCO, unc split: trained on train, chosen on val, tested on val, testA (people) and testB (other objects)."""
from mmengine.config import read_base

with read_base():
    from .grounding_loaders import *
    from .transvg_pipelines import *

data_root = 'data/refcoco_unc'
train_dataloader['dataset'].update(data_root=data_root, splits=['train'], pipeline=train_pipeline)
val_dataloader['dataset'].update(data_root=data_root, splits=['val'], pipeline=test_pipeline)
test_dataloader['dataset'].update(data_root=data_root, splits=['val', 'testA', 'testB'], pipeline=test_pipeline)
