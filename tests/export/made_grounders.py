"""Models small enough to be exported in a test, with random weights that answer all over the image."""
from typing import Any

import torch

from mmduet.apis import PretrainedGrounder
from mmduet.engine.config_tools import load_config
from mmduet.registry import MODELS
from tests.tiny_clip_vg import tiny_clip_vg_config
from tests.tiny_qrnet import tiny_qrnet_config
from tests.tiny_vltvg import tiny_vltvg_config

CONFIG = 'configs/transvg/transvg_refshapes.py'
# Of hashed words, of hashed words, and of CLIP's byte pairs.
TINY = {'VLTVG': tiny_vltvg_config, 'QRNet': tiny_qrnet_config, 'CLIPVG': tiny_clip_vg_config}


def make_grounder(model: dict[str, Any] | None = None, **changes: Any) -> PretrainedGrounder:
    """A student of a model config, or the tiny TransVG for RefShapes, with a calibrated score."""
    torch.manual_seed(5)
    config = load_config(CONFIG)
    if model is not None:
        config.model = model
    else:
        config.model.update(pretrained=None, score_head=dict(type='mmduet.AgreementScoreHead', channels=64,
                                                             embed_dims={'placed': 16, 'text': 12}))
    config.model.update(**changes)
    student = MODELS.build(config.model)
    torch.nn.init.normal_(student.box_head.layers[-1].weight, std=0.3)
    if student.score_head is not None:
        student.score_head.bias.fill_(-0.5)
    return PretrainedGrounder.from_model(student, config)
