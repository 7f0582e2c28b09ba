"""VLTVG with ResNet-50 at 640 px, six stages and 40 tokens for all data sets."""
from mmengine.config import read_base

from mmduet.models import VLTVG
from mmduet.models.losses import StagedBoxLoss

with read_base():
    from .transvg_r50 import *

model.update(
    type=VLTVG,
    decoder=dict(num_stages=6, heads=8, feedforward=2048, dropout=0.1),
    box_loss=dict(type=StagedBoxLoss, l1_weight=5.0, giou_weight=2.0))
model.text_encoder.update(max_tokens=40, mean_of_last=4)
del model['fusion']
