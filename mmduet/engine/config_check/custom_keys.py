"""Keys of ``paramwise_cfg.custom_keys``: they cover parameters by their names, and are checked once there is a model."""
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mmengine.config import Config

from mmduet.engine.config_check.files import config_files, line_of
from mmduet.engine.config_check.problems import Problem, refuse
from mmduet.io.config_files import nearest

PLACE = ('optim_wrapper', 'paramwise_cfg', 'custom_keys')


def check_custom_keys(cfg: Config, names: Collection[str]) -> None:
    """Raise an ``UnreadKeyError`` for the custom keys of a config that are in none of the names of a model's parameters."""
    found: Any = cfg.get(PLACE[0])
    for part in PLACE[1:]:
        found = (found.get(part) if isinstance(found, Mapping) else None) or {}
    files = config_files(cfg.filename)
    refuse((Problem('.'.join((*PLACE, key)), sentence), line_of(files, (*PLACE, key)))
           for key, sentence in describe_uncovered(found, names).items())


def describe_uncovered(keys: Iterable[str], names: Collection[str]) -> dict[str, str]:
    """The keys that are in no name of a parameter, each with the sentence that says so, and the nearest parts.

    >>> describe_uncovered(['backbone', 'hed'], ['backbone.weight', 'head.weight'])
    {'hed': "no parameter has 'hed' in its name; nearest: head"}
    """
    parts = {part: None for name in names for part in name.split('.')[:-1]}
    tops = dict.fromkeys(name.removeprefix('student.').partition('.')[0] for name in names)
    others = f'. It may be in {", ".join(tops)}; optim_wrapper.paramwise_cfg=None leaves all keys out'
    return {key: f'no parameter has {key!r} in its name{nearest(key, parts) or others}'
            for key in keys if not any(key in name for name in names)}
