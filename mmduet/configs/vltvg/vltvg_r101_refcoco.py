"""VLTVG-R101 on RefCOCO (unc split)."""
from mmengine.config import read_base

with read_base():
    from .vltvg_refcoco import *

model.pretrained = 'checkpoints/detr_r101_unc.safetensors'
model.visual_encoder.backbone.depth = 101
