"""A real VLTVG small enough for a test; samples for it are in ``tiny_transvg``."""
from typing import Any

from mmduet.models import VLTVG
from mmduet.models.losses import StagedBoxLoss
from tests.tiny_transvg import tiny_transvg_config


def tiny_vltvg_config(max_tokens: int = 12, **changes: Any) -> dict[str, Any]:
    """Config of a VLTVG of three stages on 64 px canvases with an 8 x 8 map and 32 channels."""
    config = tiny_transvg_config(max_tokens)
    del config['fusion']
    config.update(type=VLTVG, decoder=dict(num_stages=3, heads=4, feedforward=64, dropout=0.0),
                  box_loss=dict(type=StagedBoxLoss))
    config['text_encoder']['mean_of_last'] = 2
    config['text_encoder']['config']['num_hidden_layers'] = 2
    return {**config, **changes}
