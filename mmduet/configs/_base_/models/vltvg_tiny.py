"""A VLTVG for images of 64 px, with the visual and text branch of the tiny TransVG and three stages."""
from mmengine.config import read_base

from mmduet.models import VLTVG
from mmduet.models.losses import StagedBoxLoss

with read_base():
    from .transvg_tiny import *

model.update(
    type=VLTVG,
    decoder=dict(num_stages=3, heads=4, feedforward=128, dropout=0.0),
    box_loss=dict(type=StagedBoxLoss, l1_weight=5.0, giou_weight=2.0))
del model['fusion']
