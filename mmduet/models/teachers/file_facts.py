"""What a file of weights does not hold and a model is another function without: its activation and its pixels' statistics.

open_clip knows them by tag. The same weights from a file are told by what lies beside it, by marks of their makers, or by what
all tags of the model share; where that does not decide, it is said.
"""
import logging
from pathlib import Path
from typing import Any

import open_clip
from mmengine.logging import MMLogger, print_log
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from mmduet.io.errors import DataError
from mmduet.io.text import read_json

STATISTICS = ('mean', 'std', 'interpolation')
# Which open_clip's own files have beside them on the hub.
CONFIG = 'open_clip_config.json'
OPENAI = 'openai'


def file_facts(name: str, path: Path, quick_gelu: bool | None = None) -> dict[str, Any]:
    """``quick_gelu``, ``mean``, ``std`` and ``interpolation`` of the weights in a file, as far as they are known.

    The first that says it: ``open_clip_config.json`` beside the file; the tag ``openai`` where the path names OpenAI; what all
    tags of the model agree on. A warning says what stays unknown, and what is taken.

    Args:
        name: of the model in open_clip.
        path: of the file.
        quick_gelu: what the user says of the activation, which then is no question; None for nothing.

    Raises:
        DataError: the config beside the file cannot be read.
    """
    tags = {tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)}
    facts = shared_facts(name) | _by_path(name, path) | _beside(path)
    defined = bool((open_clip.get_model_config(name) or {}).get('quick_gelu', False))
    activations = {bool(tag.get('quick_gelu', False)) or defined for tag in tags.values()}
    if 'quick_gelu' not in facts and quick_gelu is None and len(activations) > 1:
        warn(f'{name} has weights of two activations, and {path} does not say which is its own: GELU is taken. Weights of '
             f'OpenAI need QuickGELU: set teacher.quick_gelu=True, take {name}-quickgelu, or put {CONFIG} of their page '
             'beside the file. teacher.quick_gelu=False ends this message.')
    if tags and not all(key in facts for key in STATISTICS):
        warn(f'{name} has weights of different pixel statistics, and {path} does not say which are its own: those of OpenAI '
             'are taken. Set teacher.mean and teacher.std for others.')
        facts = {'mean': OPENAI_DATASET_MEAN, 'std': OPENAI_DATASET_STD} | facts
    return facts


def shared_facts(name: str) -> dict[str, Any]:
    """What all tags of a model in open_clip agree on, of ``quick_gelu``, ``mean``, ``std`` and ``interpolation``."""
    tags = [open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)]
    facts = {}
    for key in (*STATISTICS, 'quick_gelu'):
        values = [tag.get(key, False if key == 'quick_gelu' else None) for tag in tags]
        if len(set(map(str, values))) == 1 and values[0] is not None:
            facts[key] = values[0]
    return facts


def is_told_by_path(name: str, path: Path) -> bool:
    """Whether nothing but its path tells a fact of a file's weights: the same bytes elsewhere are another model."""
    return not _by_path(name, path).keys() <= {*shared_facts(name), *_beside(path)}


def names_openai(path: Path) -> bool:
    """Whether the path of a file names OpenAI, in its own name or in one of the three folders above."""
    return any(OPENAI in part.lower() for part in path.resolve().parts[-4:])


def _by_path(name: str, path: Path) -> dict[str, Any]:
    """What is known of OpenAI's weights of a model, where the path of a file names OpenAI; empty elsewhere."""
    if OPENAI not in open_clip.list_pretrained_tags_by_model(name) or not names_openai(path):
        return {}
    tag = open_clip.get_pretrained_cfg(name, OPENAI)
    return {key: tag[key] for key in (*STATISTICS, 'quick_gelu') if key in tag}


def _beside(path: Path) -> dict[str, Any]:
    """What ``open_clip_config.json`` beside a file says of activation and pixels; empty where there is none."""
    beside = path.with_name(CONFIG)
    if not beside.is_file():
        return {}
    content = read_json(beside)
    model = content.get('model_cfg') if isinstance(content, dict) else None
    pixels = content.get('preprocess_cfg', {}) if isinstance(content, dict) else None
    if not isinstance(model, dict) or not isinstance(pixels, dict):
        raise DataError(f'{beside} is no config of open_clip: model_cfg and preprocess_cfg must be mappings')
    facts = {key: pixels[key] for key in STATISTICS if key in pixels}
    return facts | {'quick_gelu': bool(model.get('quick_gelu', False))}


def warn(message: str) -> None:
    """Say it in the log of a run, or by Python's own logging where there is none."""
    if MMLogger._instance_dict:
        print_log(message, logger='current', level=logging.WARNING)
    else:
        logging.getLogger(__name__).warning(message)
