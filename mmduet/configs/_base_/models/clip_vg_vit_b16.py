"""CLIP-VG with CLIP ViT-B/16 at 224 px: four levels of a frozen CLIP, 77 tokens for all data sets."""
from mmduet.models import CLIPVG
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers import BoxHead, CLIPTextEncoder, CLIPVisualEncoder
from mmduet.models.losses import BoxLoss

model = dict(
    type=CLIPVG,
    # OpenAI's weights as open_clip stores them, or what the converter makes of them.
    pretrained='checkpoints/clip_vit_b16.safetensors',
    # ImageNet's mean and std, not CLIP's, as the authors have it.
    data_preprocessor=dict(type=GroundingDataPreprocessor),
    visual_encoder=dict(type=CLIPVisualEncoder, image_size=224, patch_size=16, width=768, num_layers=12, heads=12,
                        levels=(1, 4, 8, 12)),
    text_encoder=dict(type=CLIPTextEncoder, max_tokens=77, width=512, num_layers=12, heads=8, channels=512),
    fusion=dict(channels=512, num_layers=6, heads=8, feedforward=2048, dropout=0.1),
    box_head=dict(type=BoxHead),
    box_loss=dict(type=BoxLoss, l1_weight=1.0, giou_weight=1.0))
