"""Where a name is defined, found by reading source files: nothing is imported, so nothing heavy is waited for."""
import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Node = ast.ClassDef | ast.FunctionDef
_REGISTERED = re.compile(r'^@\w+\.register_module\(([^)]*)\)\s*\n(?:@.*\n)*(?:class|def) (\w+)', re.MULTILINE)
_NAMES = re.compile(r"""['"]([\w.]+)['"]""")


@dataclass(frozen=True, eq=False)
class Module:
    """A parsed source file.

    Attributes:
        bound: what a name at the top level stands for: a definition, another expression, or (module, name) it is imported from.
        stars: modules all of whose names are imported.
    """

    name: str
    package: str
    bound: dict[str, Node | ast.expr | tuple[str, str | None]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Definition:
    """A class or a function and the module that it is in."""

    module: Module
    node: Node

    @property
    def name(self) -> str:
        """Its name alone."""
        return self.node.name


@dataclass(frozen=True)
class Place:
    """Where a module or package is: its file, None for a package without one, and the folders of its submodules."""

    file: Path | None
    folders: tuple[str, ...] = ()


def find_place(name: str) -> Place | None:
    """Where a module lies; unlike ``importlib.util.find_spec`` without importing the packages that it is in."""
    known = (name, *sys.path)
    if known not in _PLACES and (place := _search(name)) is not None:
        _PLACES[known] = place
    return _PLACES.get(known)


_PLACES: dict[tuple[str, ...], Place] = {}


def _search(name: str) -> Place | None:
    top, *parts = name.split('.')
    found = (finder.find_spec(top, None) for finder in sys.meta_path if hasattr(finder, 'find_spec'))
    spec = next((each for each in found if each is not None), None)
    if spec is None:
        return None
    file = Path(spec.origin) if spec.origin is not None and spec.origin.endswith('.py') else None
    place: Place | None = Place(file, tuple(spec.submodule_search_locations or ()))
    for part in parts:
        place = place and _find_inside(place, part)
    return place


def _find_inside(place: Place, part: str) -> Place | None:
    folders = [Path(folder, part) for folder in place.folders]
    for folder in folders:
        if (folder / '__init__.py').is_file():
            return Place(folder / '__init__.py', (str(folder), ))
        if folder.with_name(f'{part}.py').is_file():
            return Place(folder.with_name(f'{part}.py'))
    inside = tuple(str(folder) for folder in folders if folder.is_dir())
    return Place(None, inside) if inside else None


def find_module(name: str) -> Module | None:
    """The module of a dotted name; None where it has no source that can be read."""
    place = find_place(name)
    if place is None or place.file is None:
        return None
    try:
        return _parse(place.file, place.file.stat().st_mtime_ns, name, bool(place.folders))
    except (OSError, SyntaxError, ValueError):
        return None


@cache
def _parse(path: Path, _changed: int, name: str, is_package: bool) -> Module:
    module = Module(name, name if is_package else name.rpartition('.')[0])
    for statement in _statements(ast.parse(path.read_bytes()).body):
        _bind(module, statement)
    return module


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported, or by which a type checker knows its names."""
    for statement in body:
        yield statement
        for inner in ('body', 'orelse', 'handlers', 'finalbody') if isinstance(statement, ast.If | ast.Try | ast.With) else ():
            for each in getattr(statement, inner, ()):
                yield from _statements(each.body if isinstance(each, ast.ExceptHandler) else [each])


def _bind(module: Module, statement: ast.stmt) -> None:
    if isinstance(statement, Node):
        module.bound[statement.name] = statement
    elif isinstance(statement, ast.ImportFrom):
        source = absolute(statement, module.package)
        for name in statement.names:
            if name.name == '*':
                module.stars.append(source)
            else:
                module.bound.setdefault(name.asname or name.name, (source, name.name))
    elif isinstance(statement, ast.Import):
        for name in statement.names:
            module.bound[name.asname or name.name.partition('.')[0]] = (
                name.name if name.asname else name.name.partition('.')[0], None)
    elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name | ast.Attribute):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                module.bound.setdefault(target.id, statement.value)


def absolute(statement: ast.ImportFrom, package: str) -> str:
    """The dotted name that ``from X import`` takes from, in a module of ``package``."""
    if not statement.level:
        return statement.module or ''
    parts = package.split('.')
    parts = parts[:len(parts) - statement.level + 1]
    return '.'.join([*parts, *([statement.module] if statement.module else [])])


def resolve(module: str, name: str, depth: int = 0) -> Definition | None:
    """The definition of a module's name, through re-exports and aliases; None where the source cannot say."""
    found = find_module(module)
    if found is None or depth > 12:
        return None
    bound = found.bound.get(name)
    if bound is None:
        if hasattr(builtins, name):
            return None
        # Packages of many parts are named after what is in them, so that few files are read.
        likely = sorted(found.stars, key=lambda star: star.rpartition('.')[2].replace('_', '') not in name.lower())
        every = (resolve(star, name, depth + 1) for star in likely)
        return next((each for each in every if each is not None), None)
    if isinstance(bound, tuple):
        source, original = bound
        return None if original is None or (source, original) == (module, name) else resolve(source, original, depth + 1)
    return Definition(found, bound) if isinstance(bound, Node) else resolve_expression(found, bound, depth + 1)


def resolve_expression(module: Module, expression: ast.expr, depth: int = 0) -> Definition | None:
    """What a name or a dotted name in a module stands for."""
    if isinstance(expression, ast.Subscript):  # Generic[...] and the like
        expression = expression.value
    if isinstance(expression, ast.Name):
        return resolve(module.name, expression.id, depth)
    if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
        bound = module.bound.get(expression.value.id)
        if isinstance(bound, tuple):
            source, original = bound
            return resolve(f'{source}.{original}' if original else source, expression.attr, depth + 1)
    return None


def resolve_dotted(name: str) -> Definition | None:
    """The definition of ``package.module.Name``."""
    module, _, last = name.rpartition('.')
    return resolve(module, last) if module else None


@cache
def registered(scope: str) -> dict[str, str]:
    """Dotted names of what a package puts into registries, by the name that it has there."""
    place = find_place(scope)
    found: dict[str, str] = {}
    for folder in place.folders if place is not None else ():
        for path in sorted(Path(folder).rglob('*.py')):
            module = '.'.join([scope, *path.relative_to(folder).with_suffix('').parts]).removesuffix('.__init__')
            for arguments, name in _REGISTERED.findall(path.read_text(encoding='utf-8', errors='replace')):
                for alias in _NAMES.findall(arguments) or [name]:
                    found.setdefault(alias, f'{module}.{name}')
    return found


def find_type(name: str, default: str = 'mmduet') -> Definition | None:
    """What a ``type`` as text names: by its scope, its dotted path or, bare, in the registries of a scope and of MMEngine."""
    scope, _, bare = name.rpartition('.')
    if scope:
        dotted = registered(scope).get(bare) if '.' not in scope else None
        return resolve_dotted(dotted or name)
    for known in (default, 'mmengine'):
        if name in registered(known):
            return resolve_dotted(registered(known)[name])
    return resolve('torch.optim', name)  # which MMEngine registers by itself
