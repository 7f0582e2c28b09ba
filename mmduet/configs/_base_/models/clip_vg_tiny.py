"""A CLIP-VG for images of 64 px on the tiny CLIP that ships with mmduet, with features of three levels."""
from mmduet.models import CLIPVG
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers import CLIPTextEncoder, CLIPVisualEncoder, ReferenceBoxHead
from mmduet.models.losses import BoxLoss

# Generated images are in no other data set, and these are not in val and test of RefShapes.
pretrain_excludes = ['refshapes', 'refcoco_unc', 'refcocoplus_unc', 'refcocog_umd', 'refcocog_google', 'referit', 'flickr30k']
model = dict(
    type=CLIPVG,
    # Trained on images that no student sees; the same CLIP is the teacher in configs/duet.
    pretrained='mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors',
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_encoder=dict(type=CLIPVisualEncoder, image_size=64, patch_size=8, width=96, num_layers=4, heads=3, mlp_ratio=3.0,
                        levels=(1, 2, 4), quick_gelu=False),
    text_encoder=dict(type=CLIPTextEncoder, max_tokens=16, width=96, num_layers=2, heads=3, mlp_ratio=3.0, channels=64,
                      quick_gelu=False, vocab='mmduet/refshapes/vocab.txt'),
    fusion=dict(channels=64, num_layers=3, heads=4, feedforward=128, dropout=0.0),
    box_head=dict(type=ReferenceBoxHead),
    box_loss=dict(type=BoxLoss, l1_weight=5.0, giou_weight=2.0))
