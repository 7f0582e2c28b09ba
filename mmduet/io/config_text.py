"""A config as text: assignments of literals and of ``dict(...)``, keys in their order; it stands in for MMEngine's.

MMEngine sorts keys, by which parts are built in another order and begin with other weights, and writes what is no literal as
it prints it, so that nobody can read the text.
"""
import ast
import keyword
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

OBJECT = 'object_without_text'  # stands, called with what was printed of it, for an object that no literal says


def config_text(config: Mapping[str, Any]) -> str:
    """The text of a config as plain dictionaries, in which classes are their dotted names and paths are text.

    >>> from mmduet.io.config_text import config_text
    >>> print(config_text({'model': {'type': 'TransVG', 'sides': [64, -1], 'act': abs}, 'seed': None}), end='')
    model = dict(
        type='TransVG',
        sides=[64, -1],
        act=object_without_text('<built-in function abs>'))
    seed = None
    """
    return ''.join(f'{key} = {_text(value, "    ")}\n' for key, value in config.items())


def objects_without_text(node: Any, place: str = '') -> Iterator[tuple[str, Any]]:
    """Each object in a config that no text can hold, after its dotted key."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from objects_without_text(value, f'{place}.{key}' if place else str(key))
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from objects_without_text(value, f'{place}.{number}')
    elif _literal(node) is None:
        yield place, node


def _text(node: Any, indent: str) -> str:
    further = f'{indent}    '
    if isinstance(node, Mapping):
        as_words = all(isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key) for key in node)
        items = [f'{key}={_text(value, further)}' if as_words else f'{key!r}: {_text(value, further)}'
                 for key, value in node.items()]
        if not items:
            return 'dict()'
        inner = f'\n{indent}' + f',\n{indent}'.join(items)
        return f'dict({inner})' if as_words else f'{{{inner}}}'
    if isinstance(node, list | tuple):
        items = [_text(value, further) for value in node]
        parts = any(isinstance(value, Mapping) for value in node)
        inner = f'\n{indent}' + f',\n{indent}'.join(items) if parts else ', '.join(items)
        return f'[{inner}]' if isinstance(node, list) else f'({inner}{"," if len(items) == 1 else ""})'
    return _literal(node) or f'{OBJECT}({str(node)!r})'


def _literal(node: Any) -> str | None:
    """The literal of a value that is no container; None where there is none."""
    if isinstance(node, type):
        return repr(f'{node.__module__}.{node.__name__}')
    if isinstance(node, PurePath):
        return repr(str(node))
    if isinstance(node, np.generic):
        node = node.item()
    text = {'inf': '1e999', '-inf': '-1e999'}.get(repr(node), repr(node))
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return text
