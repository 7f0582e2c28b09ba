"""Data overlap between pre-training and the images that a score is measured on: none, some or unknown.

A config states by ``pretrain_excludes`` the data sets none of whose val and test images were seen before; a checkpoint
carries what the config that it was trained by states.
"""
import json
from collections.abc import Mapping
from typing import Any

from mmduet.engine.config_tools import walk
from mmduet.evaluation.data_overlap import describe_overlap

KEY = 'pretrain_excludes'
TEACHER_KEY = 'teacher_pretrain_excludes'


def stated_excludes(cfg: Mapping[str, Any]) -> list[str] | None:
    """Data sets without overlap with the pre-training of a config; None where it does not state them.

    A student learns what its teacher saw, so that a config with a pretrained teacher must state it of the teacher too, by
    ``teacher_pretrain_excludes``. Nobody lists the images that the CLIPs of open_clip saw.
    """
    excludes = cfg.get(KEY)
    has_teacher = any(node.get('pretrained') is not None for node in walk((cfg.get('model') or {}).get('teacher')))
    return _common(excludes, cfg.get(TEACHER_KEY) if has_teacher else excludes)


def _common(first: list[str] | None, second: list[str] | None) -> list[str] | None:
    return None if first is None or second is None else [str(name) for name in first if name in second]


def loaded_excludes(checkpoint_meta: Mapping[str, Any], cfg: Mapping[str, Any], trained_on: str | None) -> list[str] | None:
    """Data sets without overlap with the pre-training of loaded weights; None where unknown.

    ``trained_on`` names the data set that a training goes on with from a checkpoint with this meta, loaded into this config;
    None for a test or a resumed training, for which what the checkpoint carries is enough.
    """
    stated = stated_excludes(cfg)
    if trained_on is None:
        return checkpoint_meta.get(KEY, stated)
    # Weights trained on another data set may have seen anything of this one.
    before = (checkpoint_meta.get('dataset_meta') or {}).get('dataset_name')
    return _common(stated, checkpoint_meta.get(KEY)) if before == trained_on else None


def meta_of(metadata: Mapping[str, str]) -> dict[str, list[str] | None]:
    """The statement in the metadata of a safetensors file, as it stands in a checkpoint's meta; empty where there is none."""
    try:
        stated = json.loads(metadata.get(KEY, ''))
    except (ValueError, RecursionError):
        return {}
    readable = stated is None or (isinstance(stated, list) and all(isinstance(name, str) for name in stated))
    return {KEY: stated} if readable else {}


def describe_pretraining(checkpoint_meta: Mapping[str, Any], cfg: Mapping[str, Any], dataset: str) -> str:
    """The line that goes with a score."""
    excludes = loaded_excludes(checkpoint_meta, cfg, trained_on=None)
    source = '' if KEY in checkpoint_meta or excludes is None else ' (says the config; the checkpoint does not)'
    return describe_overlap(excludes, dataset) + source
