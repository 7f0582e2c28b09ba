"""TransVG with ResNet-50 at 640 px and 20 tokens."""
from mmdet.models.backbones import ResNet

from mmduet.models import TransVG
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers import BertTextEncoder, BoxHead, FrozenBatchNorm2d, VisualEncoder
from mmduet.models.losses import BoxLoss

# Data sets none of whose val and test images the pretrained weights have seen; every score names it.
pretrain_excludes = ['refcoco_unc', 'refcocoplus_unc']
model = dict(
    type=TransVG,
    # DETR's backbone and encoder, trained on COCO without the validation and test images of RefCOCO.
    pretrained='checkpoints/detr_r50_unc.safetensors',
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_encoder=dict(
        type=VisualEncoder,
        backbone=dict(type=ResNet, depth=50, out_indices=(3, ), frozen_stages=1, norm_eval=True,
                      norm_cfg=dict(type=FrozenBatchNorm2d), style='pytorch'),
        in_channels=2048, channels=256, num_layers=6, heads=8, feedforward=2048, dropout=0.1),
    text_encoder=dict(type=BertTextEncoder, pretrained='bert-base-uncased', max_tokens=20),
    fusion=dict(channels=256, num_layers=6, heads=8, feedforward=2048, dropout=0.1),
    box_head=dict(type=BoxHead),
    box_loss=dict(type=BoxLoss, l1_weight=1.0, giou_weight=1.0),
    feature_size=20)
