"""Values of another kind than a class takes, by the annotations of its source: text where a number belongs."""
import ast
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from mmduet.engine.config_check.signatures import linearise, method
from mmduet.engine.config_check.sources import Definition

NUMBERS, SWITCH, OPTIONAL = frozenset({'int', 'float'}), frozenset({'bool'}), frozenset({'None', 'Tensor'})
CONTAINERS = {'dict': 'a dict', 'Mapping': 'a dict', 'list': 'a list', 'Sequence': 'a list'}
# Kinds of which None is surely none.
PLAIN = NUMBERS | SWITCH | CONTAINERS.keys() | {'str'}
OURS = 'mmduet'
# Keys whose dictionary has no type; * is any one key.
UNTYPED_NUMBERS = ('randomness.seed', 'auto_scale_lr.base_batch_size', '*_dataloader.batch_size', '*_dataloader.num_workers')


class Parameter(NamedTuple):
    """A parameter of a class or function: the names in its annotation, and whether its default is None."""

    kinds: frozenset[str]
    none: bool


@cache
def parameters(definition: Definition) -> Mapping[str, Parameter]:
    """The annotated parameters of a definition, along its bases, the nearest first."""
    if isinstance(definition.node, ast.FunctionDef):
        return dict(_of_function(definition.node))
    found: dict[str, Parameter] = {}
    for owner in linearise(definition)[0]:
        init = method(owner, '__init__')
        own = _of_fields(owner) if init is None else _of_function(init)
        found = {**own, **found}
    return found


def _of_function(function: ast.FunctionDef) -> dict[str, Parameter]:
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + [*arguments.defaults]
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return {each.arg: Parameter(_kinds(each.annotation), _is_none(default))
            for each, default in pairs if each.annotation is not None}


def _of_fields(owner: Definition) -> dict[str, Parameter]:
    return {node.target.id: Parameter(_kinds(node.annotation), _is_none(node.value))
            for node in owner.node.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _kinds(node: ast.expr) -> frozenset[str]:
    """Names of the kinds that an annotation joins: ``float | None`` and ``Optional[float]`` are float and None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _kinds(ast.parse(node.value, mode='eval').body)
        except SyntaxError:
            return frozenset({node.value})
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _kinds(node.left) | _kinds(node.right)
    if isinstance(node, ast.Subscript):
        name = _kinds(node.value)
        if name <= {'Optional', 'Union'}:
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return frozenset().union(*map(_kinds, inner)) | ({'None'} if name == {'Optional'} else frozenset())
        return name
    if isinstance(node, ast.Attribute):
        return frozenset({node.attr})
    return frozenset({'None' if _is_none(node) else node.id if isinstance(node, ast.Name) else ast.unparse(node)})


def describe_misfit(definition: Definition, owner: str, key: str, value: Any) -> str | None:
    """The sentence about a value of another kind than the parameter takes; None where it may be of its kind.

    Of packages of others only text is refused, as their annotations are often narrower than what they take.
    """
    found = parameters(definition).get(key)
    if found is None:
        return None
    ours = definition.module.name.partition('.')[0] == OURS
    kinds = found.kinds - OPTIONAL
    if value is None:
        misfit = ours and not found.none and found.kinds <= PLAIN
    else:
        refused = str | list | tuple | Mapping if ours else str
        misfit = bool(kinds) and kinds <= NUMBERS | SWITCH and isinstance(value, refused)
    return f'{owner} takes {_describe(kinds)} for {key!r}, got {value!r}{_hint(value)}' if misfit else None


def describe_untyped(place: tuple[str, ...], value: Any) -> str | None:
    """The sentence about text or a list where a dictionary without a type holds a number; None elsewhere."""
    for pattern in UNTYPED_NUMBERS:
        first, last = pattern.split('.')
        here = len(place) == 2 and place[1] == last and (place[0].endswith(first[1:]) if first[0] == '*' else place[0] == first)
        if here and isinstance(value, str | list | tuple | Mapping):
            return f'it must be a number, got {value!r}{_hint(value)}'
    return None


def _describe(kinds: frozenset[str]) -> str:
    if kinds & NUMBERS:
        return 'a number'
    if kinds <= SWITCH:
        return 'True or False'
    return next((CONTAINERS[kind] for kind in sorted(kinds) if kind in CONTAINERS), 'a text')


def _hint(value: Any) -> str:
    two = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(part, int) for part in value)
    return f'; a fraction has a point: {value[0]}.{value[1]}' if two else ''
