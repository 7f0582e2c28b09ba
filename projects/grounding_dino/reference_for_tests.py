"""What the tests share: our models, and MMDetection's own, made to run where its calls and its dependencies drifted apart."""
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmdet.models.layers.transformer import dino_layers
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from transformers import BertConfig
from transformers import BertModel as HuggingFaceBert

from mmduet.engine.config_tools import drop_pretrained
from mmduet.registry import MODELS as OUR_MODELS
from projects.grounding_dino.grounding_dino import read_detector
from projects.grounding_dino.language_model import MASKS_HAVE_HEADS

PIECES = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '.', '?', 'the', 'red', 'circle', 'on', 'left', 'big', 'dog', 'cup', 'is', 'it',
          'yes']
BERT: dict[str, Any] = dict(vocab_size=len(PIECES), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                            intermediate_size=64)


def load_config(name: str) -> Config:
    """A config of this folder, which fetches nothing."""
    config = Config.fromfile(Path(__file__).parent / f'configs/{name}.py')
    drop_pretrained(config)
    return config


def build(name: str) -> nn.Module:
    """The model of a config of this folder, with random weights of seed 0."""
    torch.manual_seed(0)
    model: nn.Module = OUR_MODELS.build(load_config(name).model)
    return model


def write_bert(folder: Path, **changes: int) -> Path:
    """A tiny BERT of random weights as a folder that transformers reads, for there is no hub in a test."""
    torch.manual_seed(0)
    HuggingFaceBert(BertConfig(**{**BERT, **changes}), add_pooling_layer=False).save_pretrained(folder)
    (folder / 'vocab.txt').write_text('\n'.join(PIECES) + '\n')
    return folder


def build_mmdet(detector: str, bert: Path, changes: dict[str, Any]) -> nn.Module:
    """The detector of a config of MMDetection with its own language model, of the BERT in a folder."""
    model = read_detector(detector, {**changes, 'language_model': {'name': str(bert)}})
    with DefaultScope.overwrite_default_scope('mmdet'):
        built: nn.Module = MODELS.build(model)
    return built


def let_mmdet_run(monkeypatch: Any, model: nn.Module) -> None:
    """Give back what MMDetection calls: no number changes.

    transformers 5 has dropped ``batch_encode_plus``, which was a call of the tokenizer, and the axis of heads that it added to
    masks of three axes. OneDL's MMDetection 3.5.1 encodes boxes twice as long as its Grounding DINO reads them.
    """
    tokenizer, body = _language_parts(model)
    if not hasattr(tokenizer, 'batch_encode_plus'):
        monkeypatch.setattr(type(tokenizer), 'batch_encode_plus', lambda self, *args, **kwargs: self(*args, **kwargs),
                            raising=False)
    if MASKS_HAVE_HEADS:
        def add_axis(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return args, {**kwargs, 'attention_mask': kwargs['attention_mask'][:, None]}

        body.register_forward_pre_hook(add_axis, with_kwargs=True)
    encode = dino_layers.coordinate_to_encoding
    monkeypatch.setattr(dino_layers, 'coordinate_to_encoding', partial(_encode_short, encode))


def _encode_short(encode: Any, boxes: torch.Tensor, num_feats: int = 128) -> torch.Tensor:
    return encode(boxes, num_feats=128)


def _language_parts(model: nn.Module) -> tuple[Any, nn.Module]:
    language: Any = getattr(model, 'language_model', model)
    return language.tokenizer, language.language_backbone.body.model
