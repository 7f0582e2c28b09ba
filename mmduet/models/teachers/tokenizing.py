"""The tokenizer that a teacher's text tower was trained with, or a stand-in where there is neither tokenizer nor training."""
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
from mmengine.logging import print_log
from open_clip.tokenizer import HFTokenizer, get_clean_fn
from torch import Tensor

from mmduet.models.layers.tokenizers import HashingTokenizer

Tokenize = Callable[[list[str]], Tensor]
# A vocabulary and the embedding table made for it differ by a few unused entries, never by more.
SAME_VOCABULARY = 0.1


def build_tokenizer(name: str, weights: Path | None, hash_words: bool) -> Tokenize:
    """Build the tokenizer of an open_clip model.

    That of CLIP comes with open_clip. One that the model's config names by its address on the Hugging Face hub (SigLIP)
    is taken from ``tokenizer.json`` and ``tokenizer_config.json`` beside the weights, or fetched.

    Args:
        name: of the model, known to open_clip.
        weights: file of its weights; None for random ones.
        hash_words: without weights, do not fetch a tokenizer: with random weights any fixed map will do. False where the model
            is going to be trained.

    Raises:
        ValueError: the tokenizer beside the weights is of another model.
        RuntimeError: the tokenizer cannot be fetched; says which, and how to go on.
    """
    settings = open_clip.get_model_config(name)['text_cfg']
    source: str = settings.get('hf_tokenizer_name', '')
    if not source or Path(source).is_dir():
        return _from_open_clip(name, source, weights)
    if weights is None and hash_words:
        print_log(f'{name} has random weights, and its tokenizer {source} is not fetched for them: words are hashed to token '
                  'ids', logger='current')
        return HashedWords(settings)
    if weights is not None and (weights.parent / 'tokenizer.json').is_file():
        return _from_folder(weights.parent, settings, name)
    return _from_open_clip(name, source, weights)


class HashedWords:
    """Texts to whole-word hashes, with the cleaning, context length and vocabulary size of a ``text_cfg`` of open_clip."""

    def __init__(self, settings: dict[str, Any]) -> None:
        length = settings.get('context_length', open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
        self.context_length: int = length
        self.clean = get_clean_fn(settings.get('tokenizer_kwargs', {}).get('clean', 'whitespace'))
        self.words = HashingTokenizer(settings['vocab_size'], max_tokens=length, lengths=(length, ))

    def __call__(self, texts: list[str]) -> Tensor:
        """(N, L) int64 of N texts.

        Raises:
            ValueError: a text is blank, or nothing of it is left after cleaning.
        """
        return self.words([self.clean(text) for text in texts])[0]


def _from_folder(folder: Path, settings: dict[str, Any], name: str) -> Tokenize:
    try:
        tokenize: Tokenize = HFTokenizer(str(folder), context_length=settings['context_length'], trust_remote_code=False,
                                         tokenizer_mode=settings.get('tokenizer_mode'), **settings.get('tokenizer_kwargs', {}))
    except Exception as error:  # as above
        raise ValueError(f'{folder}: no whole tokenizer of {name} ({_first_line(error)})') from error
    size, expected = len(tokenize.tokenizer), settings['vocab_size']  # type: ignore[attr-defined]
    if abs(size - expected) > SAME_VOCABULARY * expected:
        raise ValueError(f'{folder}: its tokenizer has {size} tokens, and {name} was trained with {expected}: it is of another '
                         'model')
    return tokenize


def _from_open_clip(name: str, source: str, weights: Path | None) -> Tokenize:
    try:
        # Code that lies beside a tokenizer of Hugging Face is not run; open_clip's own tokenizer takes no such word.
        tokenize: Tokenize = open_clip.get_tokenizer(name, **({'trust_remote_code': False} if source else {}))
    except Exception as error:  # those of tokenizers' own readers have no common kind
        if Path(source).is_dir():
            raise ValueError(f'{source}: no whole tokenizer of {name} ({_first_line(error)})') from error
        if not isinstance(error, OSError | ValueError):
            raise
        where = f'beside {weights}' if weights is not None else 'into a folder'
        raise RuntimeError(
            f'the tokenizer {source} of the teacher {name} cannot be fetched ({_first_line(error)}). Get tokenizer.json and '
            f'tokenizer_config.json of https://huggingface.co/{source} and put them {where}, with `teacher.pretrained` the '
            'file of weights in that folder; or name their folder as text_cfg.hf_tokenizer_name in a model config.') from error
    return tokenize


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
