"""Names of classes in a config, checked before anything is built."""
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import get_object_from_string

import mmduet.registry


class UnknownTypeError(ValueError):
    """A config names a class that nobody knows; the message names the nearest."""


def root_registries() -> list[Registry]:
    """MMEngine's registries; all others are their children."""
    return [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]


def known_names() -> list[str]:
    """Names of all classes of MMEngine and mmduet, and of other packages that were imported, with their scope."""
    for value in vars(mmduet.registry).values():
        if isinstance(value, Registry):
            value.import_from_location()
    names: set[str] = set()
    for root in root_registries():
        root.import_from_location()
        names.update(root.module_dict)
        for scope, child in root.children.items():
            names.update(f'{scope}.{name}' for name in child.module_dict)
    return sorted(names)


def is_known(name: str) -> bool:
    """Whether a registry, or an import by its dotted path, finds ``name``."""
    scope, separator, bare = name.rpartition('.')
    if separator:
        with suppress(ImportError):
            import_module(f'{scope.partition(".")[0]}.registry')
        if '.' not in scope:
            for root in root_registries():
                child = root.children.get(scope)
                if child is not None:
                    child.import_from_location()
                    if bare in child.module_dict:
                        return True
        return get_object_from_string(name) is not None
    for root in root_registries():
        for registry in (root, root.children.get('mmduet')):
            if registry is not None:
                registry.import_from_location()
                if name in registry.module_dict:
                    return True
    return False


def nearest_names(name: str) -> list[str]:
    """Up to three known names that read like ``name``, with or without its scope; mmduet's own first."""
    known = known_names()
    bare = name.rpartition('.')[2]
    by_bare: dict[str, list[str]] = {}
    for full in known:
        by_bare.setdefault(full.rpartition('.')[2].lower(), []).append(full)
    lowered = {full.lower(): full for full in known}
    near = [lowered[match] for match in get_close_matches(name.lower(), lowered, n=3, cutoff=0.7)]
    for match in get_close_matches(bare.lower(), by_bare, n=3, cutoff=0.7):
        near += [full for full in by_bare[match] if full not in near]
    return sorted(near, key=lambda full: not full.startswith('mmduet.'))[:3]


@contextmanager
def naming_unknown_types(cfg: Config) -> Iterator[None]:
    """Turn the registries' errors about a class name into a sentence with the nearest names.

    Raises:
        UnknownTypeError: the config names a class that nobody knows.
    """
    try:
        yield
    except (KeyError, RuntimeError, ImportError) as error:
        if any(part in str(error) for part in ('registry', 'Failed to get', 'Failed to import')):
            check_types(cfg)
        raise


def check_types(cfg: Config) -> None:
    """See that every ``type`` of a config can be found.

    Raises:
        UnknownTypeError: one cannot; says where it stands and which names are nearest.
    """
    for where, value in _types(cfg._cfg_dict, ''):
        if isinstance(value, str) and not is_known(value):
            near = nearest_names(value)
            hint = f'; the nearest are {", ".join(near)}' if near else ''
            raise UnknownTypeError(f'{where}: no registry knows {value!r}{hint}')


def _types(node: Any, where: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if isinstance(node, Mapping):
        for key in node:
            inner = f'{where}.{key}' if where else str(key)
            value = _get(node, key, inner)
            # Gradients are clipped by norm or by value; these are no classes.
            if key in ('type', 'runner_type') and not where.endswith('clip_grad'):
                found.append((inner, value))
            found += _types(value, inner)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            found += _types(value, f'{where}[{index}]')
    return found


def _get(node: Mapping[str, Any], key: str, where: str) -> Any:
    try:
        return node[key]
    except ImportError as error:
        # A class that a config imports is looked up only now, and MMEngine's message is all that is left of its name.
        words = str(error).split()
        missing = words[3] if str(error).startswith('Failed to import') and len(words) > 3 else ''
        near = nearest_names(missing.rpartition('.')[2]) if missing else []
        hint = f'; the nearest are {", ".join(near)}' if near else ''
        raise UnknownTypeError(f'{where}: {error}{hint}') from error
