"""The files that a config is made of, and the line of a key in them."""
import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmduet.engine.config_check.sources import find_place


@dataclass(frozen=True)
class ConfigFile:
    """A Python config, parsed; ``of_package`` where it is a base that another package brings, as ``mmdet::...`` names it."""

    path: Path
    tree: ast.Module
    of_package: bool = False


def config_files(path: str | Path | None) -> list[ConfigFile]:
    """A config and, after it, those that it inherits from; only Python files, each once."""
    found: dict[Path, ConfigFile] = {}
    _collect(Path(path) if path is not None else None, found, False)
    return list(found.values())


def _collect(path: Path | None, found: dict[Path, ConfigFile], of_package: bool) -> None:
    path = path and path.resolve()
    if path is None or path in found or path.suffix != '.py' or not path.is_file():
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    found[path] = ConfigFile(path, tree, of_package)
    for base in _bases(tree, path):
        _collect(base, found, of_package or (base is not None and '.mim' in base.parts))


def _bases(tree: ast.Module, path: Path) -> Iterator[Path | None]:
    for statement in tree.body:
        if isinstance(statement, ast.With):
            for inner in statement.body:
                if isinstance(inner, ast.ImportFrom):
                    yield _imported(inner, path)
        elif isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', '') == '_base_':
            try:
                named = ast.literal_eval(statement.value)
            except ValueError:
                yield None  # computed: which files they are is not known
                continue
            yield from (_based(name, path) for name in ([named] if isinstance(named, str) else named))


def _based(name: str, path: Path) -> Path | None:
    """The file of a base: beside the config, or in a package, as ``mmdet::_base_/default_runtime.py``."""
    package, separator, inside = name.partition('::')
    if not separator:
        return path.parent / name
    place = find_place(package)
    return Path(place.folders[0], '.mim', 'configs', inside) if place is not None and place.folders else None


def _imported(statement: ast.ImportFrom, path: Path) -> Path | None:
    if statement.level:
        folder = path.parents[statement.level - 1]
        return folder.joinpath(*(statement.module or '').split('.')).with_suffix('.py')
    place = find_place(statement.module or '')
    return place.file if place is not None else None


def names_read(files: Sequence[ConfigFile]) -> set[str]:
    """Names that the code of configs reads, so that they are variables and no leftovers."""
    return {node.id for file in files for node in ast.walk(file.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != 'dict'} | {
                # MMEngine's way to read a variable of a base, as in `_base_.base_lr`.
                node.attr for file in files for node in ast.walk(file.tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == '_base_'}


def line_of(files: Sequence[ConfigFile], key: str | Sequence[str]) -> str:
    """``file, line`` of a key such as ``model.fusion.num_layer``, also in parts; empty where no file has its last name."""
    *outer, last = [part for part in (key.split('.') if isinstance(key, str) else key) if not part.isdigit()]
    best, found = (-1, 0), ''
    for file in files:
        for node, around in _words(file.tree, ()):
            if node[0] == last:
                # The place whose surroundings share most names and have fewest others; of equal ones, the file that inherits.
                score = len(set(outer) & set(around)), -len(set(around) - set(outer))
                if score > best:
                    best, found = score, f'{_short(file.path)}, line {node[1]}'
    return found


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _words(node: ast.AST, around: tuple[str, ...]) -> Iterator[tuple[tuple[str, int], tuple[str, ...]]]:
    """Every name that a config gives a value, with its line and the names around it."""
    if isinstance(node, ast.keyword) and node.arg:
        yield (node.arg, node.value.lineno), around
        around = (*around, node.arg)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            path = _target(target)
            if path:
                yield (path[-1], node.lineno), (*around, *path[:-1])
                around = (*around, *path)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        around = (*around, *_target(node.func.value))
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield (str(key.value), key.lineno), around
                yield from _words(value, (*around, str(key.value)))
        return
    for child in ast.iter_child_nodes(node):
        yield from _words(child, around)


def _target(node: ast.expr) -> tuple[str, ...]:
    """``model['head'].weight`` as its names."""
    if isinstance(node, ast.Name):
        return (node.id, )
    if isinstance(node, ast.Attribute):
        return (*_target(node.value), node.attr)
    if isinstance(node, ast.Subscript):
        inner = str(node.slice.value) if isinstance(node.slice, ast.Constant) else ''
        return (*_target(node.value), inner)
    return ()
