"""Names of metrics in a config, which are looked up only when the first validation has ended."""
import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmduet.engine.config_check.problems import Problem
from mmduet.engine.config_check.signatures import method
from mmduet.engine.config_check.tree import definition_of
from mmduet.engine.config_tools import splits_of
from mmduet.io.config_files import nearest

# Keys of hooks and schedules that name a metric, by their class; ours alone finds one without the prefix of its evaluator.
READERS = {'GroundingCheckpointHook': 'save_best', 'CheckpointHook': 'save_best', 'EarlyStoppingHook': 'monitor',
           'ReduceOnPlateauLR': 'monitor', 'ReduceOnPlateauMomentum': 'monitor', 'ReduceOnPlateauParamScheduler': 'monitor'}
# Figures that a student with a score head has too.
SCORES = ('auroc', 'ece', 'surest50', 'surest80', 'refused@95')


def check_metric_names(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems with metrics that are named and that the evaluator of the validation will not give."""
    known = _given(config.get('val_evaluator'))
    if known is None:
        return
    hooks, custom = config.get('default_hooks') or {}, config.get('custom_hooks') or ()
    parts = [(f'default_hooks.{name}', hook) for name, hook in hooks.items()]
    parts += [(f'custom_hooks.{number}', hook) for number, hook in enumerate(custom)]
    schedules = config.get('param_scheduler') or ()
    parts += ([('param_scheduler', schedules)] if isinstance(schedules, Mapping)
              else [(f'param_scheduler.{number}', each) for number, each in enumerate(schedules)])
    splits = splits_of(config.get('val_dataloader'))
    for place, part in parts:
        kind = _name(part.get('type')) if isinstance(part, Mapping) else ''
        key = READERS.get(kind, '')
        names = part.get(key) if key and isinstance(part, Mapping) else None
        for name in [names] if isinstance(names, str) else names or ():
            if name in ('auto', 'loss'):
                continue
            found = [full for full in _with_splits(known, splits, name)
                     if full == name or (kind == 'GroundingCheckpointHook' and full.endswith(f'/{name}'))]
            if not found:
                certain = ', '.join(full for full in known if full.rpartition('/')[2] not in SCORES)
                yield Problem(f'{place}.{key}', f'no evaluator of the validation gives {name!r}'
                              + (nearest(name, known, 0.7) or f'. It gives {certain}'))
            elif name not in found and len(alike := least_nested(found)) > 1:
                yield Problem(f'{place}.{key}', f'{name!r} is the name of several: say which of {", ".join(alike)}')


def least_nested(names: Sequence[str]) -> list[str]:
    """Those with the fewest prefixes: a metric's own name before its names in each split.

    >>> from mmduet.engine.config_check.metric_names import least_nested
    >>> least_nested(['grounding/acc@0.5', 'grounding/val/acc@0.5', 'grounding/testA/acc@0.5'])
    ['grounding/acc@0.5']
    """
    fewest = min((name.count('/') for name in names), default=0)
    return [name for name in names if name.count('/') == fewest]


def _with_splits(known: Sequence[str], splits: Sequence[str], name: str) -> list[str]:
    """Names of metrics and those of each split, where there are several; where nothing says which, of the split in ``name``."""
    said = [*name.split('/')[:-1][-1:]] if not splits else splits if len(splits) > 1 else []
    return [*known, *('/'.join([*full.split('/')[:-1], split, full.split('/')[-1]]) for split in said for full in known)]


def _name(kind: Any) -> str:
    definition = definition_of(kind) if kind is not None else None
    return definition.name if definition is not None else ''


def _given(evaluators: Any) -> list[str] | None:
    """Names of the metrics of a ``val_evaluator``; None where there is none or another metric than ours."""
    given: list[str] = []
    scores: list[str] = []
    for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators]:
        definition = definition_of(evaluator.get('type')) if isinstance(evaluator, Mapping) else None
        if definition is None or definition.name != 'GroundingMetric':
            return None
        init = method(definition, '__init__')
        defaults = {} if init is None else dict(zip([each.arg for each in init.args.args][-len(init.args.defaults):],
                                                    init.args.defaults, strict=True))
        thresholds = evaluator.get('thresholds') or ast.literal_eval(defaults['thresholds'])
        names = [f'acc@{threshold:g}' for threshold in thresholds if isinstance(threshold, int | float)] + ['miou']
        before = f'{evaluator["prefix"]}/' if evaluator.get('prefix') else ''
        given += [f'{before}{name}' for name in names]
        scores += [f'{before}{name}' for name in SCORES]
    return [*given, *scores]
