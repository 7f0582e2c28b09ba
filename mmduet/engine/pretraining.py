"""Whether the images that a score is measured on were kept out of pre-training: yes, no or unknown.

A config says it by ``pretrain_excludes``, the names of data sets none of whose val and test images were seen before; a
checkpoint carries the word of the config that it was trained by.
"""
from collections.abc import Mapping, Sequence
from typing import Any

from mmduet.engine.config_tools import walk

KEY = 'pretrain_excludes'
TEACHER_KEY = 'teacher_pretrain_excludes'


def stated_excludes(cfg: Mapping[str, Any]) -> list[str] | None:
    """Data sets whose val and test images no pre-training of a config saw; None where it does not say.

    What is distilled knows what its teacher saw, so that a config with a pretrained teacher must say it of the teacher too, by
    ``teacher_pretrain_excludes``. Nobody lists the photos that the CLIPs of open_clip saw.
    """
    excludes = cfg.get(KEY)
    teacher = (cfg.get('model') or {}).get('teacher')
    if teacher is not None and any(node.get('pretrained') is not None for node in walk(teacher)):
        of_teacher = cfg.get(TEACHER_KEY)
        return None if excludes is None or of_teacher is None else [name for name in excludes if name in of_teacher]
    return None if excludes is None else [str(name) for name in excludes]


def kept_out(excludes: Sequence[str] | None, dataset: str) -> str:
    """``'yes'``, ``'no'`` or ``'unknown'`` for a data set; what follows its name, as a protocol in brackets, does not count."""
    if excludes is None:
        return 'unknown'
    return 'yes' if dataset.partition(' ')[0] in excludes else 'no'


def describe_pretraining(checkpoint_meta: Mapping[str, Any], cfg: Mapping[str, Any], dataset: str) -> str:
    """The line that goes with a score."""
    carried = KEY in checkpoint_meta
    excludes = checkpoint_meta[KEY] if carried else stated_excludes(cfg)
    source = '' if carried or excludes is None else ' (says the config; the checkpoint does not)'
    return f'val and test images of {dataset} kept out of pre-training: {kept_out(excludes, dataset)}{source}'
