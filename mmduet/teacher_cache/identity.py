"""Which teacher a config describes, without building it."""
import ast
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmduet.io.files import find_file, sha256_of
from mmduet.io.text import read_json
from mmduet.models.teachers.file_facts import is_told_by_path
from mmduet.models.teachers.open_clip_models import find_model_config
from mmduet.models.teachers.weights_identity import hash_json, identify_weights
from mmduet.registry import MODELS, TASK_UTILS

Identity = dict[str, Any]


def identify_teacher(config: Mapping[str, Any]) -> Identity:
    """All that decides the targets of a teacher of this config: its arguments, with files replaced by what they hold.

    Args:
        config: of a ``CLIPTeacher``, say.

    Returns:
        Plain values by argument, defaults included, and those that a subclass hands on by ``**kwargs``. ``weights`` stands for
        ``pretrained``: 'random', a tag, or the SHA-256 of the file, with what its path alone tells (``file_facts``);
        ``model_config`` and ``centre`` are the SHA-256 of theirs. ``code`` is there for a class of somebody's own.

    Raises:
        TypeError: the teacher takes no such argument.
        FileNotFoundError: there is no such ``model_config`` or ``centre``.
    """
    arguments = {key: value for key, value in config.items() if key != 'type'}
    kind: Any = config['type']
    kind = MODELS.get(kind) or TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    bound = _bind(kind, arguments)
    identity: Identity = {'type': kind.__name__, **_code_of(kind)}
    for name, value in bound.items():
        if name == 'quick_gelu' and value is None:
            continue  # what decides it then are the weights
        if name == 'pretrained':
            identity['weights'] = identify_weights(value) + _told_by_path(bound.get('model'), value)
        elif name == 'model_config':
            identity[name] = None if value is None else hash_json(find_file(value))
        elif name == 'centre':
            identity[name] = None if value is None else f'SHA-256 {sha256_of(find_file(value))}'
        else:
            identity[name] = _plain(value)
    return identity


def _bind(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a call by keyword, with the defaults of the bases where a class hands ``**kwargs`` on to them."""
    bound = inspect.signature(kind).bind(**given)
    bound.apply_defaults()
    found: dict[str, Any] = {}
    bases: Sequence[type] = ()
    for name, value in bound.arguments.items():
        sort = bound.signature.parameters[name].kind
        if sort is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
            bases = getattr(kind, '__mro__', ())[1:]
        elif sort is not inspect.Parameter.VAR_POSITIONAL:
            found[name] = value
    for init in (vars(base)['__init__'] for base in bases if '__init__' in vars(base)):
        for name, parameter in inspect.signature(init).parameters.items():
            if parameter.default is not parameter.empty:
                found.setdefault(name, parameter.default)
    return found


def _code_of(kind: Any) -> Identity:
    """The SHA-256 of the files of a class and its bases but ours and theirs, by file; comments and layout do not count."""
    line = getattr(kind, '__mro__', (kind, ))
    ours = {base for each in line if each.__module__.startswith('mmduet.') for base in each.__mro__}
    own = [each for each in line if each not in ours]
    files: dict[str, dict[str, str]] = {}
    for each in own:
        with suppress(TypeError, OSError):  # a class of Python's own, or of a session that has no file
            if file := inspect.getsourcefile(each):
                program = ast.unparse(ast.parse(Path(file).read_bytes()))
                files.setdefault(Path(file).name, {})[file] = sha256_of(program.encode())
    # Files of one name in two folders are told in the order of the bases: where they lie does not count.
    found = {name: f'SHA-256 {" and ".join(hashes.values())}' for name, hashes in files.items()}
    return {'code': found} if found else {}


def _told_by_path(model: Any, pretrained: str | None) -> str:
    """What of a file of weights is known by its path alone, in words; empty for a tag, and where there is no such file."""
    if pretrained is None or not isinstance(model, str):
        return ''
    try:
        return ", OpenAI's by its path" if is_told_by_path(model, find_file(pretrained)) else ''
    except FileNotFoundError:
        return ''


def width_of(config: Mapping[str, Any]) -> int | None:
    """D of the joint space of a teacher of this config, by the description of its model; None for a teacher without one."""
    width = _describe(config).get('embed_dim')
    return None if width is None else int(width)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and 'type' in value:
        return identify_teacher(value)
    return [_plain(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def has_bias(config: Mapping[str, Any]) -> bool:
    """Whether a teacher of this config adds a bias to its logits, by the description of its model."""
    inner = config.get('teacher', config)
    return inner.get('centre') is None and _describe(inner).get('init_logit_bias') is not None


def _describe(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model config of a teacher, or of the teacher in it; empty for one without."""
    if 'teacher' in config:
        return _describe(config['teacher'])
    if config.get('model_config') is not None:
        described: Mapping[str, Any] = read_json(find_file(config['model_config']))
        return described
    return find_model_config(config['model']) or {} if 'model' in config else {}
