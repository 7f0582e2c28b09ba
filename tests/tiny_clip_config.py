"""Model configs of real open_clip models that are small enough for a test."""
import json
from pathlib import Path
from typing import Any

TEXT = dict(context_length=16, vocab_size=49408, width=32, heads=2, layers=2)
VIT = dict(image_size=32, layers=2, width=32, patch_size=8, head_width=16)
RESNET = dict(image_size=64, layers=[1, 1, 1, 1], width=8, head_width=64)


def write_clip_config(folder: Path, name: str = 'tiny_vit', **changes: Any) -> str:
    """Write an open_clip model config of 16 dimensions, a ViT unless ``vision_cfg`` says otherwise; return its path."""
    config = dict(embed_dim=16, vision_cfg=VIT, text_cfg=TEXT)
    path = folder / f'{name}.json'
    path.write_text(json.dumps({**config, **changes}))
    return str(path)
