"""A TransVG for images of 64 px: feature size 8, 64 channels, its own vocabulary; trains on two CPU cores in minutes."""
from mmdet.models.backbones import ResNet

from mmduet.models import TransVG
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers import BertTextEncoder, ReferenceBoxHead, VisualEncoder
from mmduet.models.losses import BoxLoss

# Generated images are in no other data set, and these are not in val and test of RefShapes.
pretrain_excludes = ['refshapes', 'refcoco_unc', 'refcocoplus_unc', 'refcocog_umd', 'refcocog_google', 'referit', 'flickr30k']
visual_encoder = dict(
    type=VisualEncoder,
    backbone=dict(type=ResNet, depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1, ), stem_channels=32,
                  base_channels=32, norm_eval=False, style='pytorch'),
    in_channels=64, channels=64, num_layers=0, add_positions=True)
model = dict(
    type=TransVG,
    # Made by configs/pretraining/visual_encoder_refshapes.py on images that no student sees.
    pretrained='mmduet/refshapes/tiny_encoder/visual_encoder_refshapes.safetensors',
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_encoder=visual_encoder,
    text_encoder=dict(
        type=BertTextEncoder, pretrained=None, vocab='mmduet/refshapes/vocab.txt', max_tokens=16,
        config=dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=128,
                    max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)),
    fusion=dict(channels=64, num_layers=3, heads=4, feedforward=128, dropout=0.0),
    box_head=dict(type=ReferenceBoxHead),
    box_loss=dict(type=BoxLoss, l1_weight=5.0, giou_weight=2.0),
    feature_size=8)
