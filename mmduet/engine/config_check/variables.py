"""Names at the top of a config that are no keys of the runner: variables of its code, or leftovers that nobody reads."""
import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmduet.engine.config_check.files import ConfigFile, names_read
from mmduet.engine.config_check.known import RUNNER
from mmduet.engine.config_check.problems import Problem
from mmduet.io.config_files import nearest

SHOWN = 4


def check_variables(config: Mapping[str, Any], files: Sequence[ConfigFile], changed: Sequence[str]) -> Iterator[Problem]:
    """Problems with names at the top.

    A name that the code of a config reads is a variable: its value went into what is built. A name that nobody reads is a
    mistake, and so is a change of a variable after the config was read.

    Args:
        config: as it is built.
        files: those that it was read from; none where it came as plain values, whose variables cannot be told from leftovers.
        changed: keys that were changed since.
    """
    read, extra = names_read(files), config.get('extra_keys') or ()
    late = {key.partition('.')[0]: key for key in changed}
    for name, value in config.items():
        if name in RUNNER or name in extra or name.startswith('_'):
            continue
        near = nearest(name, RUNNER, 0.85)
        if name in late and name not in read and not _is_assigned(name, files):
            known = [key for key in dict.fromkeys((*config, *RUNNER)) if key not in late or key in RUNNER]
            yield Problem(late[name], f'the config has no {name!r}{nearest(name, known, 0.75) or nearest(name, known)}')
        elif name in late:
            yield Problem(late[name], _copied(name, value, late[name], config, files))
        elif files and read and name not in read and not _is_inherited(name, files):
            why = '' if near else '. Remove it, or name it in extra_keys if code of yours reads it'
            yield Problem(name, f'nobody reads it: neither the runner nor the code of the config{near}{why}')
        elif near:
            yield Problem(name, f'the runner does not read it{near}')


def _is_inherited(name: str, files: Sequence[ConfigFile]) -> bool:
    """Whether a name is that of a base of another package, whose tools may read it, and of no file of the user's."""
    return (any(file.of_package and _assigns(file, name) for file in files)
            and not any(_assigns(file, name) for file in files if not file.of_package))


def _assigns(file: ConfigFile, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name
               for node in file.tree.body if isinstance(node, ast.Assign) for target in node.targets)


def _is_assigned(name: str, files: Sequence[ConfigFile]) -> bool:
    return not files or any(isinstance(node, ast.Name) and node.id == name for file in files for node in ast.walk(file.tree))


def _copied(name: str, value: Any, option: str, config: Mapping[str, Any], files: Sequence[ConfigFile]) -> str:
    """Say where the value of a variable went when the config was read."""
    inner = option.partition('.')[2]
    places = list(dict.fromkeys(_copies(name, value, config, files)))
    said = ', '.join(f'{place}.{inner}' if inner else place for place in places[:SHOWN])
    more = f' and {len(places) - SHOWN} more' if len(places) > SHOWN else ''
    return (f'{name!r} is a variable of the config, and was copied when that was read: changing it changes nothing. '
            + (f'Change {said}{more}' if places else 'Change what was made of it'))


def _copies(name: str, value: Any, config: Mapping[str, Any], files: Sequence[ConfigFile]) -> Iterator[str]:
    """Keys of what is built that were given the variable, those of its own name first."""
    words = {word.arg for file in files for node in ast.walk(file.tree) if isinstance(node, ast.Call)
             for word in node.keywords if word.arg and isinstance(word.value, ast.Name) and word.value.id == name}
    words |= {str(key.value) for file in files for node in ast.walk(file.tree) if isinstance(node, ast.Dict)
              for key, inner in zip(node.keys, node.values, strict=True)
              if isinstance(key, ast.Constant) and isinstance(inner, ast.Name) and inner.id == name}
    built = {key: inner for key, inner in config.items() if key in RUNNER}
    for wanted in ({name}, words):
        for place, key, found in _leaves(built, ''):
            if key in wanted and _is_like(found, value):
                yield place
    if isinstance(value, Mapping) and 'type' in value:
        yield from (place for place, _, found in _leaves(built, '') if _is_like(found, value))


def _is_like(found: Any, value: Any) -> bool:
    """Whether something may be a copy of a variable, changed since: of the same class, or of the same kind."""
    if isinstance(value, Mapping):
        return isinstance(found, Mapping) and str(found.get('type')) == str(value.get('type'))
    return isinstance(found, list | tuple) == isinstance(value, list | tuple) and not isinstance(found, Mapping)


def _leaves(node: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        inner = f'{place}.{key}' if place else str(key)
        yield inner, str(key), value
        yield from _leaves(value, inner)
