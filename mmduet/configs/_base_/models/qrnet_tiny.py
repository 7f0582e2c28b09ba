"""A QRNet for images of 64 px: a Swin of two stages from random weights, feature sizes 8 and 4, 64 channels."""
from mmdet.models.backbones import SwinTransformer
from mmengine.config import read_base

from mmduet.models import QRNet

with read_base():
    from .transvg_tiny import *

model.update(
    type=QRNet,
    pretrained=None,
    backbone=dict(type=SwinTransformer, embed_dims=32, depths=(2, 2), num_heads=(2, 4), strides=(4, 2), out_indices=(0, 1),
                  window_size=4, drop_path_rate=0.0),
    rank=8)
del model['visual_encoder']
