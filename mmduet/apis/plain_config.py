"""Configs as plain data: types as names, and back by the registries alone. Nothing that is read here can run code."""
import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isclass
from typing import Any

import mmengine.registry as root
from mmdet import registry as mmdet_registry

from mmduet.engine.config_tools import ConfigError
from mmduet.io import config_text
from mmduet.io.config_files import nearest
from mmduet.registry import MODELS, TASK_UTILS, TRANSFORMS


@dataclass(frozen=True)
class ObjectWithoutText:
    """Stands in a config for an object that its text could not hold."""

    printed: str


def parse_config_text(text: str, source: str) -> dict[str, Any]:
    """The keys of a config as ``Config.pretty_text`` spells it: assignments of literals and of ``dict(...)``, never executed.

    The dotted name of a class is text; an object that the text could not hold is an ``ObjectWithoutText``.

    Raises:
        ConfigError: it holds anything else; names ``source`` and the line.

    >>> parse_config_text("model = dict(type='mmduet.TransVG', sides=[64, -1])", 'a.pth')
    {'model': {'type': 'mmduet.TransVG', 'sides': [64, -1]}}
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f'the config in {source} is no config ({error})') from error
    keys = {}
    for statement in statements:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name) or len(statement.targets) > 1:
            raise ConfigError(f'line {statement.lineno} of the config in {source} is no assignment, and is not run')
        keys[target.id] = _value(statement.value, source)
    return keys


def _value(node: ast.expr, source: str) -> Any:
    if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args
            and all(word.arg for word in node.keywords)):
        return {str(word.arg): _value(word.value, source) for word in node.keywords}
    if isinstance(node, ast.Dict) and None not in node.keys:
        pairs = zip(node.keys, node.values, strict=True)
        try:
            return {_value(key, source): _value(value, source) for key, value in pairs if key is not None}
        except TypeError as error:
            raise ConfigError(f'line {node.lineno} of the config in {source}: {error}') from error
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item, source) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    match node:
        case ast.Call(func=ast.Name(id=config_text.OBJECT), args=[ast.Constant(value=str(printed))], keywords=[]):
            return ObjectWithoutText(printed)
    if name := _dotted(node):
        return name  # a class that a program put into a config, as MMEngine spells it
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise ConfigError(f'line {node.lineno} of the config in {source} is no literal, and is not run') from error


def _dotted(node: ast.expr) -> str:
    """``package.Name`` as text; empty for what is no such name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return '.'.join([node.id, *reversed(parts)]) if parts and isinstance(node, ast.Name) else ''


def _name_of(kind: type) -> str:
    return f'{kind.__module__.partition(".")[0]}.{kind.__name__}'


@cache
def _load_registries() -> None:
    for registry in (MODELS, TRANSFORMS, TASK_UTILS, mmdet_registry.MODELS, mmdet_registry.TRANSFORMS):
        registry.import_from_location()


def _known() -> dict[str, type]:
    """Every registered model, transform and part of a task by the name of its package and its own."""
    _load_registries()
    registries = (root.MODELS, mmdet_registry.MODELS, MODELS, root.TRANSFORMS, mmdet_registry.TRANSFORMS, TRANSFORMS,
                  TASK_UTILS)
    kinds = [kind for registry in registries for kind in registry.module_dict.values() if isclass(kind)]
    return {_name_of(kind): kind for kind in kinds}


def to_names(node: Any, where: str = 'config') -> Any:
    """JSON data of a config: classes become ``'package.Name'``, tuples lists.

    Raises:
        ConfigError: a class that is in no registry, so that nobody could find it by its name, or a value that JSON has not.
    """
    if isinstance(node, Mapping):
        return {str(key): to_names(value, f'{where}.{key}') for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_names(value, f'{where}[{number}]') for number, value in enumerate(node)]
    if isclass(node):
        if _known().get(_name_of(node)) is not node:
            raise ConfigError(f'{where} is {node.__module__}.{node.__qualname__}, which is in no registry: decorate it with '
                              '@MODELS.register_module() or @TRANSFORMS.register_module() of mmduet.registry')
        return _name_of(node)
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise ConfigError(f'{where} is a {type(node).__name__}, which JSON cannot hold')


def to_types(node: Any, source: str) -> Any:
    """A config whose types are classes again; a name is looked up in the registries and never imported.

    Raises:
        ConfigError: a type that no registry knows; names the nearest. An object that the text could not hold.
    """
    known = _known()

    def convert(inner: Any) -> Any:
        if isinstance(inner, Mapping):
            if '_scope_' in inner:
                raise ConfigError(f'{source} names the scope {inner["_scope_"]!r:.100}, a package that would be imported')
            return {key: find(value) if key == 'type' else convert(value) for key, value in inner.items()}
        if isinstance(inner, list | tuple):
            return type(inner)(convert(value) for value in inner)
        if isinstance(inner, ObjectWithoutText):
            raise ConfigError(f'the config in {source} had {inner.printed:.100}, which no text can hold: give the config that '
                              'it was trained with, as a command does by --config')
        return inner

    def find(name: Any) -> Any:
        if isinstance(name, ObjectWithoutText):
            return convert(name)
        if isclass(name) or (isinstance(name, str) and '.' not in name):
            return name  # a layer by its short name, which can be found in a registry alone
        if isinstance(name, str) and (kind := known.get(f'{name.partition(".")[0]}.{name.rpartition(".")[2]}')):
            return kind
        raise ConfigError(f'{source} names the type {name!r:.100}, which no registry knows{nearest(str(name), known)}. '
                          'Nothing is imported because a file says so: import the module that registers it first, as a '
                          'command does by --import my_grounder.py')

    return convert(node)
