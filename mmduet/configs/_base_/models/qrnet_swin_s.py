"""QRNet with Swin-S at 640 px and 20 tokens."""
from mmdet.models.backbones import SwinTransformer

from mmduet.models import QRNet
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers import BertTextEncoder, BoxHead
from mmduet.models.losses import BoxLoss

# Data sets none of whose val and test images the pretrained weights have seen; every score names it.
pretrain_excludes = ['refcoco_unc', 'refcocoplus_unc', 'refcocog_umd', 'refcocog_google']
model = dict(
    type=QRNet,
    # Backbone and lateral convolutions of a Mask R-CNN, trained on COCO without the val and test images of these.
    pretrained='checkpoints/mask_rcnn_swin_small_refcoco.safetensors',
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    backbone=dict(type=SwinTransformer, embed_dims=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24), window_size=7,
                  drop_path_rate=0.2),
    text_encoder=dict(type=BertTextEncoder, pretrained='bert-base-uncased', max_tokens=20),
    fusion=dict(channels=256, num_layers=6, heads=8, feedforward=2048, dropout=0.1),
    box_head=dict(type=BoxHead),
    box_loss=dict(type=BoxLoss, l1_weight=1.0, giou_weight=1.0),
    feature_size=20)
