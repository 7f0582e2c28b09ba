"""The schedule of QRNet's authors: 180 epochs, a tenth of the rate after 60; Swin, the laterals and BERT at a tenth.

The gates, which start from nothing, have the full rate. It is for 64 expressions per step, the authors' eight GPUs with eight
each on ReferIt; their script for RefCOCO has sixteen each at the same rate. On RefCOCO+ they drop it after 120.
"""
from mmengine.config import read_base

with read_base():
    from .transvg_90e import *

train_cfg.update(max_epochs=180)
optim_wrapper['paramwise_cfg'] = dict(custom_keys=dict(
    backbone=dict(lr_mult=0.1), laterals=dict(lr_mult=0.1), text_encoder=dict(lr_mult=0.1)))
