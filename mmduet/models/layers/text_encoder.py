"""BERT as a text encoder."""
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from mmengine.logging import print_log
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mmduet.io.files import find_file
from mmduet.models.layers.tokenizers import HashingTokenizer, WordPieceTokenizer
from mmduet.registry import MODELS

# BERT takes a mask of four axes as it is where transformers makes masks by this function.
TAKES_MASKS = find_spec('transformers.masking_utils') is not None and hasattr(
    import_module('transformers.masking_utils'), 'create_bidirectional_mask')


@MODELS.register_module()
class BertTextEncoder(nn.Module):
    """Text tokens of an expression from the last layer of a BERT, or from the mean of its last few.

    The pooler is part of BERT's checkpoints and of no prediction, so it is kept and never trained.

    Args:
        pretrained: name on the Hugging Face hub or folder of a BERT with its ``vocab.txt``; None for random weights.
        vocab: path of another vocabulary; without it and without ``pretrained``, words are hashed to ids.
        max_tokens: L, marks included.
        config: fields of ``transformers.BertConfig`` that differ from BERT-base, for a random BERT.
        mean_of_last: how many of the last layers are averaged; TransVG takes one, VLTVG four.

    Raises:
        ValueError: BERT has fewer layers than ``mean_of_last``.
        FileNotFoundError: the weights can neither be found nor fetched; says which files, where to put them, how to go on.
    """

    def __init__(self, pretrained: str | None = 'bert-base-uncased', vocab: str | None = None, max_tokens: int = 20,
                 config: dict[str, Any] | None = None, mean_of_last: int = 1) -> None:
        super().__init__()
        self.tokenizer = _build_tokenizer(pretrained, vocab, max_tokens, config)
        sizes = {'vocab_size': self.tokenizer.vocab_size, **(config or {})}
        if pretrained is None:
            self.bert = BertModel(BertConfig(**sizes), add_pooling_layer=True)
        else:
            with _fetching(pretrained, 'the weights'):
                self.bert = BertModel.from_pretrained(pretrained, add_pooling_layer=True)
        # What a training says of its beginning; a student's own weights may fill a random BERT later.
        self.loaded_from = {} if pretrained is None else {'bert': pretrained}
        self.bert.pooler.requires_grad_(False)
        self.channels: int = self.bert.config.hidden_size
        self.max_tokens = max_tokens
        layers: int = self.bert.config.num_hidden_layers
        if not 1 <= mean_of_last <= layers:
            raise ValueError(f'a BERT of {layers} layers has no mean of its last {mean_of_last}')
        self.mean_of_last = mean_of_last

    def forward(self, token_ids: Tensor, padding: Tensor) -> Tensor:
        """Encode (B, L') ids to (B, L', 768) token features; those at padding are meaningless."""
        mask: Tensor = (~padding).long()
        if TAKES_MASKS and self.bert.config._attn_implementation == 'sdpa':
            # Of a mask of two axes it asks whether it masks anything, and the processor would wait for the device to say.
            mask = ~padding[:, None, None].expand(-1, 1, padding.shape[1], -1)
        output = self.bert(input_ids=token_ids, attention_mask=mask, output_hidden_states=self.mean_of_last > 1)
        if self.mean_of_last == 1:
            return output.last_hidden_state
        return torch.stack(output.hidden_states[-self.mean_of_last:]).mean(dim=0)


def _build_tokenizer(pretrained: str | None, vocab: str | None, max_tokens: int,
                     config: dict[str, Any] | None) -> WordPieceTokenizer | HashingTokenizer:
    if vocab is not None:
        return WordPieceTokenizer(find_file(vocab), max_tokens)
    if pretrained is None:
        print_log('BERT has no vocabulary: words are hashed to token ids', logger='current')
        return HashingTokenizer((config or {}).get('vocab_size', 30522), max_tokens)
    with _fetching(pretrained, 'vocab.txt') as file:
        found = Path(pretrained) / file if Path(pretrained).is_dir() else hf_hub_download(pretrained, file)
    return WordPieceTokenizer(found, max_tokens)


@contextmanager
def _fetching(name: str, file: str) -> Iterator[str]:
    try:
        yield file
    except (OSError, ValueError, RuntimeError) as error:
        raise FileNotFoundError(
            f'{file} of the text encoder {name!r} is neither a local file nor can it be fetched ({type(error).__name__}). '
            f'Put config.json, vocab.txt and model.safetensors of {name!r} into a folder and set text_encoder.pretrained to '
            'it, or run with --no-pretrained for random weights.') from error
