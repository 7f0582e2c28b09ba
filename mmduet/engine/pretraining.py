"""Whether the images that a score is measured on were kept out of pre-training: yes, no or unknown.

A config says it by ``pretrain_excludes``, the names of data sets none of whose val and test images were seen before; a
checkpoint carries the word of the config that it was trained by.
"""
from collections.abc import Mapping
from typing import Any

from mmduet.engine.config_tools import walk
from mmduet.evaluation.data_overlap import describe_overlap

KEY = 'pretrain_excludes'
TEACHER_KEY = 'teacher_pretrain_excludes'


def stated_excludes(cfg: Mapping[str, Any]) -> list[str] | None:
    """Data sets whose val and test images no pre-training of a config saw; None where it does not say.

    What is distilled knows what its teacher saw, so that a config with a pretrained teacher must say it of the teacher too, by
    ``teacher_pretrain_excludes``. Nobody lists the images that the CLIPs of open_clip saw.
    """
    excludes = cfg.get(KEY)
    teacher = (cfg.get('model') or {}).get('teacher')
    if teacher is not None and any(node.get('pretrained') is not None for node in walk(teacher)):
        of_teacher = cfg.get(TEACHER_KEY)
        return None if excludes is None or of_teacher is None else [name for name in excludes if name in of_teacher]
    return None if excludes is None else [str(name) for name in excludes]


def loaded_excludes(checkpoint_meta: Mapping[str, Any], cfg: Mapping[str, Any], trained_on: str | None) -> list[str] | None:
    """Data sets whose val and test images weights saw neither before nor by being loaded; None where nobody says it.

    Args:
        checkpoint_meta: of the checkpoint that was loaded.
        cfg: the config it was loaded into.
        trained_on: name of the data set that a training goes on with from there; None for a test or a resumed training, where
            what the checkpoint carries is all there is to say.
    """
    stated, carried = stated_excludes(cfg), checkpoint_meta.get(KEY)
    if trained_on is None:
        return carried if KEY in checkpoint_meta else stated
    # Weights trained on another data set may have seen anything of this one.
    before = (checkpoint_meta.get('dataset_meta') or {}).get('dataset_name')
    if stated is None or carried is None or before != trained_on:
        return None
    return [name for name in stated if name in carried]


def describe_pretraining(checkpoint_meta: Mapping[str, Any], cfg: Mapping[str, Any], dataset: str) -> str:
    """The line that goes with a score."""
    carried = KEY in checkpoint_meta
    excludes = loaded_excludes(checkpoint_meta, cfg, trained_on=None)
    source = '' if carried or excludes is None else ' (says the config; the checkpoint does not)'
    return describe_overlap(excludes, dataset) + source
