"""What a class or a function takes, by its source: along its bases, through ``**kwargs``, into dictionaries it unpacks."""
import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from mmduet.engine.config_check.sources import Definition, Node, resolve_expression

_NOTHING = {'object', 'ABC', 'Protocol', 'Generic', 'Module', 'Exception', 'NamedTuple', 'Enum', 'Dataset', 'Sampler'}


@dataclass(frozen=True)
class Accepts:
    """Names that a callable takes.

    Attributes:
        names: in the order of the signature.
        any_other: whether it takes more than its source names, or the source cannot say.
        inside: for a parameter whose dictionary is unpacked into further calls, what those take.
        owner: the callable's name, where it is not that of the dictionary's ``type``.
        typed_by: the parameter that names a further class, which takes all others, and its default.
    """

    names: tuple[str, ...]
    any_other: bool = False
    inside: Mapping[str, 'Accepts'] = field(default_factory=dict)
    owner: str = ''
    typed_by: tuple[str, str] | None = None


CANNOT_SAY = Accepts((), any_other=True)


@cache
def accepts(definition: Definition) -> Accepts:
    """What a definition takes."""
    if isinstance(definition.node, ast.FunctionDef):
        names, rest = _parameters(definition.node, bound=False)
        return Accepts(tuple(names), rest is not None)
    order, complete = linearise(definition)
    return _of_class(order, complete, 0)


def _of_class(order: Sequence[Definition], complete: bool, start: int) -> Accepts:
    names: list[str] = []
    if _is_config_of_transformers(order):
        return Accepts(tuple(_fields(order)))
    for position in range(start, len(order)):
        owner = order[position]
        init = method(owner, '__init__')
        if init is None:
            if _is_dataclass(owner):
                return Accepts((*names, *_fields(order[position:])), not complete)
            continue
        own, rest = _parameters(init, bound=True)
        names += [name for name in own if name not in names]
        inside = _unpacked(order, position, init, own)
        if rest is None:
            return Accepts(tuple(names), False, inside)
        names += [name for name in _picked(init, rest) if name not in names]
        if not _passes_on(init, rest, owner.name):
            return Accepts(tuple(names), True, inside, typed_by=_typed_by(init, rest))
        onward = _of_class(order, complete, position + 1)
        return Accepts((*names, *(name for name in onward.names if name not in names)), onward.any_other,
                       {**onward.inside, **inside})
    return Accepts(tuple(names), not complete)


def linearise(definition: Definition) -> tuple[list[Definition], bool]:
    """A class and its bases in the order in which Python looks, and whether the sources of all were found."""
    complete, parents = True, []
    assert isinstance(definition.node, ast.ClassDef)
    for base in definition.node.bases:
        found = None if _last_name(base) in _NOTHING else resolve_expression(definition.module, base)
        if found is not None and isinstance(found.node, ast.ClassDef):
            chain, known = linearise(found)
            complete &= known
            parents.append(chain)
        else:
            complete &= _last_name(base) in _NOTHING
    return [definition, *_merge([*parents, [chain[0] for chain in parents]])], complete


def _merge(chains: list[list[Definition]]) -> list[Definition]:
    merged: list[Definition] = []
    chains = [list(chain) for chain in chains if chain]
    while chains:
        head = next((chain[0] for chain in chains
                     if not any(chain[0].node is each.node for other in chains for each in other[1:])), chains[0][0])
        merged.append(head)
        chains = [rest for chain in chains if (rest := [each for each in chain if each.node is not head.node])]
    return merged


def _last_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression.attr if isinstance(expression, ast.Attribute) else getattr(expression, 'id', '')


def method(owner: Definition, name: str) -> ast.FunctionDef | None:
    """A method that the class itself defines."""
    return next((node for node in owner.node.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _parameters(function: ast.FunctionDef, bound: bool) -> tuple[list[str], str | None]:
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if bound else names, None if arguments.kwarg is None else arguments.kwarg.arg


def _is_dataclass(owner: Definition) -> bool:
    return any(_last_name(each.func if isinstance(each, ast.Call) else each) == 'dataclass'
               for each in owner.node.decorator_list)


def _is_config_of_transformers(order: Sequence[Definition]) -> bool:
    """Whether a class has its fields as annotations, and keeps whatever else it is given as attributes that nobody reads."""
    return any(each.name == 'PreTrainedConfig' for each in order)


def _fields(order: Sequence[Definition]) -> Iterator[str]:
    for owner in order:
        for node in owner.node.body:
            if (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
                    and _last_name(node.annotation) != 'ClassVar'):
                yield node.target.id


def _calls(function: Node) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call))


def _picked(init: ast.FunctionDef, rest: str) -> Iterator[str]:
    """Names that a function takes out of its ``**rest``."""
    for call in _calls(init):
        if (isinstance(call.func, ast.Attribute) and call.func.attr in ('pop', 'get', 'setdefault') and call.args
                and isinstance(call.func.value, ast.Name) and call.func.value.id == rest
                and isinstance(call.args[0], ast.Constant)):
            yield str(call.args[0].value)


def _passes_on(init: ast.FunctionDef, rest: str, owner: str) -> bool:
    """Whether ``**rest`` goes to the next class's ``__init__`` and nowhere else.

    ``super(Other, self)`` leaves classes out, so that which is next cannot be said.
    """
    calls = [call for call in _calls(init)
             if any(word.arg is None and isinstance(word.value, ast.Name) and word.value.id == rest for word in call.keywords)]
    return bool(calls) and all(isinstance(call.func, ast.Attribute) and call.func.attr == '__init__'
                               and not _leaves_out(call.func.value, owner) for call in calls)


def _leaves_out(parent: ast.expr, owner: str) -> bool:
    return (isinstance(parent, ast.Call) and _last_name(parent.func) == 'super' and bool(parent.args)
            and _last_name(parent.args[0]) != owner)


@cache
def mentioned(definition: Definition) -> frozenset[str]:
    """Words that the source of a class has as text, so that it may take keys by these names out of what it is given."""
    order = linearise(definition)[0] if isinstance(definition.node, ast.ClassDef) else [definition]
    return frozenset(node.value for owner in order for node in ast.walk(owner.node)
                     if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier())


def _typed_by(init: ast.FunctionDef, rest: str) -> tuple[str, str] | None:
    """The parameter P of ``dict(type=P, **rest)`` and its default."""
    arguments = init.args.args
    defaults = dict(zip([each.arg for each in arguments[len(arguments) - len(init.args.defaults):]], init.args.defaults,
                        strict=True))
    for call in _calls(init):
        words = {word.arg: word.value for word in call.keywords}
        kind, others = words.get('type'), words.get(None)
        if isinstance(kind, ast.Name) and isinstance(others, ast.Name) and others.id == rest:
            default = defaults.get(kind.id)
            return kind.id, str(default.value) if isinstance(default, ast.Constant) else ''
    return None


def _unpacked(order: Sequence[Definition], position: int, function: ast.FunctionDef, parameters: Sequence[str],
              depth: int = 0) -> dict[str, Accepts]:
    """For each parameter that ends as ``Callee(**parameter)``, here or in a method it is handed to, what the callee takes."""
    found: dict[str, Accepts] = {}
    stands_for = {**{name: name for name in parameters}, **dict(_copies(function, parameters))}
    for call in _calls(function):
        for word in call.keywords:
            if word.arg is None and isinstance(word.value, ast.Name) and word.value.id in stands_for:
                callee = resolve_expression(order[position].module, call.func)
                if callee is not None:
                    takes = accepts(callee)
                    given = {other.arg for other in call.keywords}
                    left = tuple(name for name in takes.names if name not in given)
                    found[stands_for[word.value.id]] = Accepts(left, takes.any_other, takes.inside, callee.name)
        if depth < 4:
            found = {**_handed_on(order, position, call, parameters, depth), **found}
    return found


def _copies(function: ast.FunctionDef, parameters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Local names that hold a parameter's dictionary with more in it: ``sizes = {'a': 1, **(config or {})}``."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                inner = value.values[0] if isinstance(value, ast.BoolOp) else value
                if key is None and isinstance(inner, ast.Name) and inner.id in parameters:
                    yield node.targets[0].id, inner.id


def _handed_on(order: Sequence[Definition], position: int, call: ast.Call, parameters: Sequence[str],
               depth: int) -> dict[str, Accepts]:
    if not isinstance(call.func, ast.Attribute):
        return {}
    owner, first = call.func.value, 0
    if isinstance(owner, ast.Call) and _last_name(owner.func) == 'super':
        first = position + 1
    elif not (isinstance(owner, ast.Name) and owner.id == 'self'):
        return {}
    for place in range(first, len(order)):
        target = method(order[place], call.func.attr)
        if target is None:
            continue
        names, _ = _parameters(target, bound=True)
        pairs = [(value, name) for value, name in zip(call.args, names, strict=False)]
        pairs += [(word.value, word.arg) for word in call.keywords if word.arg]
        handed = {name: value.id for value, name in pairs if isinstance(value, ast.Name) and value.id in parameters}
        inner = _unpacked(order, place, target, list(handed), depth + 1) if handed else {}
        return {handed[name]: takes for name, takes in inner.items()}
    return {}
