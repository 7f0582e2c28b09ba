"""The teacher of a published model: what of it may stand in its config, and whether it is at hand."""
import re
from collections.abc import Mapping
from typing import Any

import open_clip
from huggingface_hub import try_to_load_from_cache

from mmduet.apis.plain_config import to_names, to_types
from mmduet.engine.config_tools import ConfigError
from mmduet.io.files import find_file
from mmduet.models.base_teacher import BaseTeacher
from mmduet.registry import MODELS

# Files that come with the package have this in front, and are there on every machine.
_PACKAGE = 'mmduet/'
_FILE = re.compile(r'.*([/\\]|\.(safetensors|pth|pt|bin|ckpt|json|txt|npz|npy|py)$)', re.DOTALL)
_HUB_FILES = ('open_clip_model.safetensors', 'open_clip_pytorch_model.safetensors', 'open_clip_pytorch_model.bin')


def portable_teacher(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """The config of the teacher of a distilled model that every machine can build; None where there is none.

    Of several the first, and of a cached one the teacher that was cached. One of files that do not come with the package, or of
    a type that is in no registry, is left out: a student needs none to predict.
    """
    teacher = model.get('teacher')
    if isinstance(teacher, Mapping) and 'type' not in teacher:
        teacher = next(iter(teacher.values()), None)
    while isinstance(teacher, Mapping) and 'teacher' in teacher:
        teacher = teacher['teacher']
    if not isinstance(teacher, Mapping):
        return None
    try:
        plain = to_names(teacher, 'teacher')
        found: dict[str, Any] = to_types(plain, 'teacher')
    except ConfigError:
        return None
    kind = found.get('type')
    ours = all(_is_ours(text) for text in _texts(plain) if _FILE.match(text))
    return found if ours and isinstance(kind, type) and issubclass(kind, BaseTeacher) else None


def build_teacher(config: Mapping[str, Any]) -> BaseTeacher | None:
    """The teacher, in eval mode on the CPU, where its weights are in the package or in the hub's cache; None otherwise.

    Nothing is fetched.
    """
    weights = config.get('pretrained')
    if weights is not None and not _is_here(config.get('model', ''), weights):
        return None
    teacher: BaseTeacher = MODELS.build(dict(config))
    return teacher.eval()


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    nodes = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else []
    return [text for inner in nodes for text in _texts(inner)]


def _is_ours(name: str) -> bool:
    return name.startswith(_PACKAGE) and '..' not in name and '\\' not in name


def _is_here(model: str, weights: str) -> bool:
    if _FILE.match(weights):
        try:
            return _is_ours(weights) and find_file(weights).is_file()
        except FileNotFoundError:
            return False
    repository = open_clip.get_pretrained_cfg(model, weights).get('hf_hub', '').rstrip('/')
    return bool(repository) and any(isinstance(try_to_load_from_cache(repository, name), str) for name in _HUB_FILES)
