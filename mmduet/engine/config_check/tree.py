"""Dictionaries of a config, each checked against what reads it."""
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmengine.config.lazy import LazyAttr, LazyObject

from mmduet.engine.config_check.known import ALWAYS, DEFAULT_TYPES, HOOKS, MULTIPLIERS, TAKEN_OUT, UNTYPED
from mmduet.engine.config_check.problems import Problem, unknown
from mmduet.engine.config_check.signatures import CANNOT_SAY, Accepts, accepts, mentioned
from mmduet.engine.config_check.sources import Definition, find_type, resolve_dotted
from mmduet.engine.config_check.values import describe_misfit, describe_untyped
from mmduet.io.config_files import nearest

Path = tuple[str, ...]
OURS = ('mmduet', 'mmengine')


def check_tree(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a config as plain dictionaries, whose imported names may be MMEngine's lazy objects."""
    for key, value in config.items():
        yield from _check(value, (key, ), None, scope_of(config))


def scope_of(node: Mapping[str, Any], outer: str = 'mmduet') -> str:
    """Where bare names of a config, or of a dictionary in one, are looked up first, by ``default_scope`` or ``_scope_``."""
    return str(node.get('_scope_') or node.get('default_scope') or outer)


def definition_of(kind: Any, scope: str = 'mmduet') -> Definition | None:
    """Where the class that a ``type`` names is defined; None where that cannot be said without importing."""
    if isinstance(kind, str):
        return find_type(kind, scope)
    return resolve_dotted(dotted_name(kind))


def dotted_name(kind: Any) -> str:
    """``package.module.Name`` of a class, a function or a lazy object; empty for anything else."""
    if isinstance(kind, LazyAttr):
        return f'{dotted_name(kind.source)}.{kind.name}'
    if isinstance(kind, LazyObject):
        return f'{kind.module}.{kind._imported}' if kind._imported else str(kind.module)
    return f'{kind.__module__}.{kind.__qualname__}' if hasattr(kind, '__qualname__') else ''


def takes(kind: Any, scope: str = 'mmduet') -> Accepts:
    """What the class that a ``type`` names takes, from its source or, if it is imported already, from its signature."""
    definition = definition_of(kind, scope)
    if definition is not None:
        return accepts(definition)
    if not callable(kind) or isinstance(kind, LazyObject | LazyAttr):
        return CANNOT_SAY
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (ValueError, TypeError):
        return CANNOT_SAY
    return Accepts(tuple(each.name for each in parameters), any(each.kind is each.VAR_KEYWORD for each in parameters))


def _matches(place: Path, pattern: str) -> bool:
    parts = pattern.split('.')
    if parts[0] == '**':
        parts = parts[1:]
        place = place[-len(parts):]
    return len(place) == len(parts) and all(part in ('*', each) for part, each in zip(parts, place, strict=True))


def _check(node: Any, place: Path, given: Accepts | None, scope: str,
           known: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """Problems in a node.

    Args:
        given: what the dictionary is unpacked into, where its owner's source says so.
        known: words of the source of its owner, where that is of another package: it may take such keys out.
    """
    if isinstance(node, list | tuple):
        for number, item in enumerate(node):
            yield from _check(item, (*place, str(number)), given, scope, known)
    elif isinstance(node, Mapping):
        scope = scope_of({'_scope_': node.get('_scope_')}, scope)
        reads, owner = _reader(node, place, given, scope)
        words = _words_of_others(node.get('type'), scope)
        allowed = [*reads.names, *ALWAYS, *(name for pattern, names in TAKEN_OUT.items() if _matches(place, pattern)
                                            for name in names)]
        for key, value in node.items():
            inner = (*place, str(key))
            if not reads.any_other and key not in allowed and key not in known:
                yield unknown('.'.join(inner), owner, [name for name in allowed if name not in ALWAYS])
            elif (sentence := _misfit(node, inner, value, scope)) is not None:
                yield Problem('.'.join(inner), sentence)
            else:
                yield from _check(value, inner, reads.inside.get(key), scope, words)
        yield from _check_slots(node, place)
        if place == ('optim_wrapper', ):
            yield from _check_custom_keys(node, scope)


def _kind_of(node: Mapping[str, Any], place: Path) -> Any:
    """The ``type`` of a dictionary, or what MMEngine takes where it has none; None for none."""
    if node.get('type') is not None:
        return node['type']
    if place == ('train_cfg', ):
        return 'EpochBasedTrainLoop' if node.get('by_epoch') else 'IterBasedTrainLoop'
    return DEFAULT_TYPES.get('.'.join(place))


def _misfit(node: Mapping[str, Any], place: Path, value: Any, scope: str) -> str | None:
    kind = _kind_of(node, place[:-1])
    definition = None if kind is None else definition_of(kind, scope)
    if definition is None:
        return describe_untyped(place, value)
    return describe_misfit(definition, definition.name, place[-1], value)


def _words_of_others(kind: Any, scope: str) -> frozenset[str]:
    definition = definition_of(kind, scope) if kind is not None else None
    return frozenset() if definition is None or definition.module.name.partition('.')[0] in OURS else mentioned(definition)


def _reader(node: Mapping[str, Any], place: Path, given: Accepts | None, scope: str) -> tuple[Accepts, str]:
    untyped = next((names for pattern, names in UNTYPED.items() if _matches(place, pattern)), None)
    if untyped is not None:
        return Accepts(untyped), place[-1]
    kind = _kind_of(node, place)
    if kind is None:
        # Words passed on by **: the class that takes them is named by whoever unpacks them.
        return given or CANNOT_SAY, (given.owner if given is not None else '') or place[-1]
    name = kind if isinstance(kind, str) else dotted_name(kind)
    reads = takes(kind, scope)
    if reads.typed_by is not None:
        parameter, default = reads.typed_by
        further = takes(node.get(parameter, default), scope)
        reads = replace(reads, names=(*reads.names, *further.names), any_other=further.any_other)
    return reads, name.rpartition('.')[2]


def _check_slots(node: Mapping[str, Any], place: Path) -> Iterator[Problem]:
    """Mappings of parts by name: a part has a type or is None, and no name is that of another slot misspelt."""
    hooks, terms = place == ('default_hooks', ), _matches(place, '**.terms')
    if not hooks and not terms:
        return
    for name, part in node.items():
        key = '.'.join((*place, str(name)))
        others = [other for other in dict.fromkeys((*(HOOKS if hooks else ()), *node)) if other != name]
        near = nearest(str(name), others, 0.75)
        if isinstance(part, Mapping) and 'type' not in part:
            yield Problem(key, f'it has no type{near or nearest(str(name), others)}')
        elif hooks and name not in HOOKS and near:
            yield Problem(key, f'MMEngine and mmduet have no such hook{near}; one of your own goes into custom_hooks')


def _check_custom_keys(node: Mapping[str, Any], scope: str) -> Iterator[Problem]:
    """Options of parameters by their names: multipliers, and what the optimizer takes."""
    custom = (node.get('paramwise_cfg') or {}).get('custom_keys') or {}
    optimizer = takes((node.get('optimizer') or {}).get('type', ''), scope)
    known: Sequence[str] = (*MULTIPLIERS, *(name for name in optimizer.names if name != 'params'))
    for name, options in custom.items() if not optimizer.any_other else ():
        for option in options if isinstance(options, Mapping) else ():
            if option not in known:
                yield unknown(f'optim_wrapper.paramwise_cfg.custom_keys.{name}.{option}', f'a key of {name!r}', known)
