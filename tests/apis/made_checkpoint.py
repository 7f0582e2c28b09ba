"""A checkpoint of a distilled tiny TransVG as training writes it, from random weights."""
from pathlib import Path

import torch

from mmduet.engine.config_tools import load_config
from mmduet.registry import MODELS

CONFIG = 'configs/transvg/transvg_refshapes.py'


def write_checkpoint(path: Path, **meta: object) -> Path:
    """Write the student under ``student.``, with a config that names files which are gone; ``meta`` is added."""
    torch.manual_seed(3)
    config = load_config(CONFIG)
    student = MODELS.build(config.model)
    # A random head's boxes lie all in the middle.
    torch.nn.init.normal_(student.box_head.layers[-1].weight, std=0.3)
    words = student.data_preprocessor.tokenizer.vocabulary
    config.model.pretrained = 'checkpoints/gone.safetensors'
    config.model.text_encoder.vocab = 'gone/vocab.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {f'student.{key}': value for key, value in student.state_dict().items()}
    torch.save({'state_dict': {**weights, 'head.terms.text.scale': torch.ones(1)},
                'meta': {'cfg': config.pretty_text, 'vocabulary': words, 'pretrain_excludes': ['refshapes'], **meta}}, path)
    return path
