"""Names of classes in a config, checked before anything is built; and arguments that a class refused when it was."""
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import get_object_from_string

from mmduet.engine.config_check.tree import scope_of
from mmduet.engine.config_tools import ConfigError
from mmduet.io.config_files import nearest


class UnknownTypeError(ValueError):
    """A config names a class that nobody knows; the message names the nearest."""


def _names(scope: str) -> set[str]:
    """Names of all classes in the registries of a scope; in MMEngine's own for an empty scope."""
    with suppress(ImportError):
        import_module(f'{scope or "mmengine"}.registry')
    roots = [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]
    registries = [root.children[scope] for root in roots if scope in root.children] if scope else roots
    for registry in registries:
        registry.import_from_location()
    return {name for registry in registries for name in registry.module_dict}


def is_known(name: str, default: str = 'mmduet') -> bool:
    """Whether a registry, or an import by its dotted path, finds ``name``; a bare one in the scope ``default`` or MMEngine."""
    scope, _, bare = name.rpartition('.')
    if scope:
        return ('.' not in scope and bare in _names(scope)) or get_object_from_string(name) is not None
    return bare in _names('') or bare in _names(default)


def nearest_names(name: str) -> list[str]:
    """Up to three names of MMEngine and mmduet that are like ``name`` without its scope; mmduet's own first."""
    known = [*(f'mmduet.{bare}' for bare in _names('mmduet')), *_names('')]
    forms = {full: full.rpartition('.')[2].lower() for full in known}
    near = get_close_matches(name.rpartition('.')[2].lower(), sorted(forms.values()), n=3, cutoff=0.7)
    found = [full for full in known if forms[full] in near]
    return sorted(found, key=lambda full: (not full.startswith('mmduet.'), near.index(forms[full]), full))[:3]


@contextmanager
def naming_unknown_types(cfg: Config) -> Iterator[None]:
    """Turn registries' errors into sentences: an ``UnknownTypeError`` about a class, a ``ConfigError`` about an argument.

    An argument that a class does not take is one, and so is a value that it refuses when it is built.
    """
    try:
        yield
    except (KeyError, RuntimeError, ImportError) as error:
        if any(part in str(error) for part in ('registry', 'Failed to get', 'Failed to import')):
            check_types(cfg)
        raise
    except (TypeError, ValueError, AssertionError) as error:
        if not type(error).__module__.startswith('mmduet.') and (sentence := _describe_misfit(error)) is not None:
            raise ConfigError(sentence) from error
        raise


def _describe_misfit(error: BaseException) -> str | None:
    """The sentence about a class that a registry called with what it does not take; None for any other error.

    A ``TypeError`` within a class of ours may be our fault, and is none of its arguments.
    """
    kind, inside, trace = None, False, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == 'build_from_cfg' and 'obj_cls' in trace.tb_frame.f_locals:
            kind, inside = trace.tb_frame.f_locals['obj_cls'], trace.tb_next is not None
        trace = trace.tb_next
    if kind is None:
        return None
    if inside:
        ours = isinstance(error, TypeError) and kind.__module__.startswith('mmduet.')
        return None if ours else f'{error} ({kind.__name__})'
    if found := re.search(r"unexpected keyword argument '(\w+)'", str(error)):
        return f'{kind.__name__} does not take {found[1]!r}{nearest(found[1], inspect.signature(kind).parameters)}'
    found = re.search(r'missing \d+ required .*', str(error))
    return f'{kind.__name__}: {found[0]}' if found else None


def check_types(cfg: Config) -> None:
    """Raise an ``UnknownTypeError``, with its place and the nearest names, for a ``type`` of a config that nobody knows."""
    for where, value, scope in _types(cfg._cfg_dict, '', scope_of(cfg._cfg_dict)):
        if isinstance(value, str) and not is_known(value, scope):
            raise _unknown(f'{where}: no registry knows {value!r}', value)


def _unknown(problem: str, name: str) -> UnknownTypeError:
    near = ', '.join(nearest_names(name))
    return UnknownTypeError(problem + (f'; nearest: {near}' if near else ''))


def _types(node: Any, where: str, scope: str) -> Iterator[tuple[str, Any, str]]:
    if isinstance(node, Mapping):
        scope = str(node.get('_scope_') or scope)
        for key in node:
            inner = f'{where}.{key}' if where else str(key)
            try:
                value = node[key]
            except ImportError as error:
                # A class that a config imports is imported only now, and MMEngine's message is all that is left of its name.
                missing = re.match(r'Failed to import (?:\S*\.)?(\S+)', str(error))
                raise _unknown(f'{inner}: {error}', missing[1] if missing else '') from error
            # Gradients are clipped by norm or by value; these are no classes.
            if key in ('type', 'runner_type') and not where.endswith('clip_grad'):
                yield inner, value, scope
            yield from _types(value, inner, scope)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _types(value, f'{where}[{index}]', scope)
