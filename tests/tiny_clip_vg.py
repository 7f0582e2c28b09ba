"""A real CLIP-VG small enough for a test; samples for it are in ``tiny_transvg``."""
from typing import Any

from mmduet.models import CLIPVG, GroundingDataPreprocessor
from mmduet.models.layers import BoxHead, CLIPTextEncoder, CLIPVisualEncoder
from mmduet.models.losses import BoxLoss
from tests.tiny_transvg import SIZE


def tiny_clip_vg_config(max_tokens: int = 12, **changes: Any) -> dict[str, Any]:
    """Config of a CLIP-VG on 64 px canvases with an 8 x 8 map, two levels and 32 channels."""
    config = dict(
        type=CLIPVG, data_preprocessor=dict(type=GroundingDataPreprocessor),
        visual_encoder=dict(type=CLIPVisualEncoder, image_size=SIZE, patch_size=8, width=24, num_layers=3, heads=3,
                            levels=(1, 3)),
        text_encoder=dict(type=CLIPTextEncoder, max_tokens=max_tokens, width=16, num_layers=2, heads=2, channels=16),
        fusion=dict(channels=32, num_layers=2, heads=4, feedforward=64, dropout=0.0), box_head=dict(type=BoxHead),
        box_loss=dict(type=BoxLoss))
    return {**config, **changes}
