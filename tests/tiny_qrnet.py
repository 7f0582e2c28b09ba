"""A real QRNet small enough for a test; samples for it are in ``tiny_transvg``."""
from typing import Any

from mmdet.models.backbones import SwinTransformer

from mmduet.models import QRNet
from tests.tiny_transvg import tiny_transvg_config


def tiny_qrnet_config(max_tokens: int = 12, **changes: Any) -> dict[str, Any]:
    """Config of a QRNet of two stages on 64 px canvases with an 8 x 8 map, another of 4 x 4, and 64 channels."""
    config = tiny_transvg_config(max_tokens)
    del config['visual_encoder']
    config['fusion']['channels'] = 64
    config.update(type=QRNet, rank=4, backbone=dict(
        type=SwinTransformer, embed_dims=32, depths=(2, 2), num_heads=(2, 4), strides=(4, 2), out_indices=(0, 1), window_size=4,
        drop_path_rate=0.0))
    return {**config, **changes}
