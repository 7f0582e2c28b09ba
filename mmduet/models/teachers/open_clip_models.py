"""Building open_clip models: by name or config file, with weights by tag or file, and clear errors."""
import difflib
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.pretrained import download_pretrained
from torch import nn

from mmduet.io.files import find_file, write_anew
from mmduet.io.text import read_json
from mmduet.io.weights import describe_misfit, read_weights
from mmduet.models.teachers.file_facts import file_facts, shared_facts, warn
from mmduet.models.teachers.image_size import set_image_size
from mmduet.models.teachers.tokenizing import Tokenize, build_tokenizer

TOKENIZER_OPTIONS = ('clean', 'strip_sep_token', 'language')
# What OpenAI's archives hold beside weights, and what transformers no longer keeps.
# Sizes of a config from elsewhere: the largest that were published have a tenth or a half of them.
MOST = {'layers': 200, 'width': 2**14, 'embed_dim': 2**14, 'vocab_size': 2**22, 'context_length': 2**14, 'image_size': 2**13,
        'patch_size': 2**13, 'heads': 2**10, 'head_width': 2**12}
NOT_WEIGHTS = ('input_resolution', 'context_length', 'vocab_size', 'text.transformer.embeddings.position_ids')


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCLIPModel:
    """A model of open_clip with what belongs to it."""

    clip: Any  # float32, on the CPU
    tokenize: Tokenize
    embed_dims: int  # D of the joint space
    image_size: tuple[int, int]  # height and width that the image tower takes, pixels
    mean: Sequence[float]  # RGB statistics that the weights were trained with
    std: Sequence[float]
    interpolation: str  # 'bicubic' or 'bilinear', of the preprocessing


def build_open_clip(name: str, pretrained: str | None = None, model_config: str | None = None,
                    hash_words: bool = True, image_size: int | None = None,
                    quick_gelu: bool | None = None) -> OpenCLIPModel:
    """Build an open_clip model.

    Args:
        name: of an architecture that open_clip or ``model_config`` defines.
        pretrained: a tag of open_clip, which fetches the weights; or a ``.safetensors`` or ``.pt`` file; None for random
            weights. A tag also decides the activation and the statistics of the pixels; for a file see ``file_facts``; random
            weights have what all tags share.
            OpenAI's own ``.pt`` files are programs, which we do not run: take their tag.
        model_config: a JSON file in open_clip's format, named like the model.
        hash_words: see ``build_tokenizer``.
        image_size: pixels, where not those of training; see ``set_image_size``.
        quick_gelu: whether the weights were trained with x * sigmoid(1.702 x), as OpenAI's, and not with the exact GELU; None
            for what the tag says, or what is known of the file.

    Raises:
        ValueError: unknown name or tag (says the nearest), a file that is truncated or of another model, or a size that does
            not suit the tower.
        NotImplementedError: it is not known how the tower takes another size.
        FileNotFoundError: no such file.
        RuntimeError: the weights or the tokenizer cannot be fetched; says which, and how to go on.
    """
    if model_config is not None:
        register_model_config(model_config)
    config = find_model_config(name)
    if config is None:
        raise ValueError(f'open_clip knows no model {name!r}{_nearest(name, open_clip.list_models())}')
    tag = open_clip.get_pretrained_cfg(name, pretrained) if pretrained else {}
    path = None if not pretrained else _fetch(name, pretrained, tag) if tag else _find(name, pretrained)
    facts = tag or (shared_facts(name) if path is None else file_facts(name, path, quick_gelu))
    if quick_gelu is None:
        quick_gelu = bool(facts.get('quick_gelu', False))
    elif config.get('quick_gelu', False) and not quick_gelu:
        raise ValueError(f'the model {name} is defined with QuickGELU: take the one without -quickgelu, or quick_gelu=None')
    with _without_root_warnings():
        clip = open_clip.create_model(name, pretrained=None, pretrained_text=False, force_quick_gelu=quick_gelu)
    if path is not None:
        load_weights(clip, path, name)
    if image_size is not None:
        set_image_size(clip.visual, image_size)
    size = clip.visual.image_size
    preprocessing = {'mean': OPENAI_DATASET_MEAN, 'std': OPENAI_DATASET_STD, 'interpolation': 'bicubic',
                     **clip.visual.preprocess_cfg, **facts}
    interpolation = preprocessing['interpolation']
    return OpenCLIPModel(
        clip=clip, tokenize=build_tokenizer(name, path, hash_words), embed_dims=config['embed_dim'],
        image_size=(size, size) if isinstance(size, int) else (size[0], size[1]),
        mean=preprocessing['mean'], std=preprocessing['std'],
        interpolation='bicubic' if interpolation == 'random' else interpolation)


def find_model_config(name: str) -> dict[str, Any] | None:
    """The config of an architecture that open_clip knows, or None.

    Raises:
        ValueError: a place, ``hf-hub:...`` or ``local-dir:...``, which open_clip would fetch or open.
    """
    if ':' in name:
        raise ValueError(f'{name!r} is a place and no name of a model: models are neither fetched from the hub nor read from '
                         'folders by name. Write what its open_clip_config.json says under model_cfg into a JSON file, and '
                         'give that as model_config, its name without .json as model, and the weights as pretrained')
    config: dict[str, Any] | None = open_clip.get_model_config(name)
    return config


def register_model_config(path: str | Path) -> str:
    """Make a model config file known to open_clip and return the model's name, the stem of the file.

    A folder named in it as ``text_cfg.hf_tokenizer_name`` may be relative to the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, without one of open_clip's fields, or with options of the tokenizer that could run code.
    """
    path = find_file(path).resolve()
    config = read_json(path)
    if not isinstance(config, dict):
        raise ValueError(f'{path}: an open_clip model config is a mapping, not a {type(config).__name__}')
    missing = [field for field in ('embed_dim', 'vision_cfg', 'text_cfg') if field not in config]
    if missing or not isinstance(config['text_cfg'], dict):
        raise ValueError(f'{path}: an open_clip model config needs {", ".join(missing or ["a mapping as text_cfg"])}')
    _require_bounded(config, path)
    # The others go to transformers as they are, and one of them makes it run code that lies beside the tokenizer.
    options = config['text_cfg'].get('tokenizer_kwargs', {})
    if unknown := sorted(map(str, set(options if isinstance(options, dict) else ['a list']) - set(TOKENIZER_OPTIONS))):
        raise ValueError(f'{path}: text_cfg.tokenizer_kwargs may hold {", ".join(TOKENIZER_OPTIONS)}, not {", ".join(unknown)}')
    tokenizer = config['text_cfg'].get('hf_tokenizer_name')
    if tokenizer and (path.parent / tokenizer).is_dir():
        config['text_cfg']['hf_tokenizer_name'] = str(path.parent / tokenizer)
    # open_clip reads folders and files only, and once: what it reads may be gone afterwards.
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder) / path.name
        write_anew(resolved, json.dumps(config).encode())
        open_clip.add_model_config(resolved)
    return path.stem


def _require_bounded(config: Any, path: Path) -> None:
    """Raise a ``ValueError`` for sizes that no CLIP has, and for towers that would be fetched, with what they bring along."""
    for tower in (config, config['vision_cfg'], config['text_cfg']):
        if not isinstance(tower, dict):
            raise ValueError(f'{path}: an open_clip model config needs mappings as vision_cfg and text_cfg')
        for name, value in tower.items():
            most = MOST.get(name)
            sizes = value if isinstance(value, list) else [value]
            if most is not None and value is not None and not all(type(size) is int and 0 < size <= most for size in sizes):
                raise ValueError(f'{path}: {name} must be a whole number up to {most:,}, got {value!r:.60}')
    name = config['vision_cfg'].get('timm_model_name')
    fetches = config['vision_cfg'].get('timm_model_pretrained')
    if name is not None and (fetches or not isinstance(name, str) or set(name) & set(':/\\')):
        raise ValueError(f'{path}: the image tower {name!r:.80} would be fetched: name an architecture of timm without weights')


def load_weights(clip: nn.Module, path: str | Path, name: str) -> None:
    """Load a file of weights, all of them and nothing else.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, or of another model; names keys and shapes.
    """
    weights: dict[str, Any] = convert_state_dict(clip, read_weights(find_file(path)))
    if 'positional_embedding' in weights and not hasattr(clip, 'positional_embedding'):
        weights = convert_to_custom_text_state_dict(weights)
    own = clip.state_dict()
    weights = {key: value for key, value in weights.items() if key in own or key not in NOT_WEIGHTS}
    for key in ('logit_scale', 'logit_bias'):
        if key in own and key in weights:
            weights[key] = weights[key].reshape(own[key].shape)
    wanted = {key: value for key, value in own.items() if key in weights or key != 'logit_bias'}
    if misfit := describe_misfit(weights, wanted):
        raise ValueError(f'{path} does not hold {name}: {misfit}')
    if 'logit_bias' in own and 'logit_bias' not in weights:
        warn(f'{path} has no logit_bias: that of an untrained {name} is kept, {float(own["logit_bias"]):g}')
    clip.load_state_dict({'logit_bias': own['logit_bias'], **weights} if 'logit_bias' in own else weights)


def _find(name: str, pretrained: str) -> Path:
    tags = open_clip.list_pretrained_tags_by_model(name)
    try:
        return find_file(pretrained)
    except FileNotFoundError as error:
        if Path(pretrained).suffix or '/' in pretrained:
            raise FileNotFoundError(f'{error}. `pretrained` of the teacher {name} is a file of weights, a tag of open_clip '
                                    f'({", ".join(tags) or "none for this model"}), or None (--no-pretrained).') from error
        raise ValueError(f'open_clip has no weights {pretrained!r} of {name}{_nearest(pretrained, tags)}') from error


def _fetch(name: str, pretrained: str, tag: dict[str, Any]) -> Path:
    try:
        return Path(download_pretrained(tag))
    except (OSError, RuntimeError, ValueError) as error:
        hub = tag.get('hf_hub', '')
        folder = f'{hub}open_clip_model.safetensors' if hub.endswith('/') else hub
        sources = ' or '.join(filter(None, [folder and f'https://huggingface.co/{folder}', tag.get('url', '')]))
        far = open_clip.get_model_config(name)['text_cfg'].get('hf_tokenizer_name')
        tokenizer = f', with tokenizer.json and tokenizer_config.json of https://huggingface.co/{far} beside it' if far else ''
        raise RuntimeError(
            f'the weights {pretrained!r} of the teacher {name} cannot be fetched ({str(error).splitlines()[0]}). Get {sources} '
            f'elsewhere, put it anywhere{tokenizer}, and set `teacher.pretrained` to its path (--cfg-options '
            'model.teacher.pretrained=FILE); or run with --no-pretrained for random weights.') from error


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=4, cutoff=0.4)
    return f'; nearest: {", ".join(near)}' if near else f'; it knows {", ".join(known[:12]) or "none"}'


@contextmanager
def _without_root_warnings() -> Iterator[None]:
    """Silence open_clip's warning of random weights, which it gives before we load ours."""
    def quiet(record: logging.LogRecord) -> bool:
        return 'pretrained weights loaded' not in record.getMessage() and 'initialized' not in record.getMessage()

    logging.root.addFilter(quiet)
    try:
        yield
    finally:
        logging.root.removeFilter(quiet)
