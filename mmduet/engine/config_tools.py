"""Reading a config, and the changes that the command line makes to it."""
import ast
import contextlib
import runpy
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.config.utils import ConfigParsingError
from yaml import YAMLError

from mmduet.engine.config_bases import describe_bases
from mmduet.io.config_files import find_config, nearest
from mmduet.io.data_configs import SUFFIXES, check_data_config
from mmduet.io.files import CONFIGS, PACKAGE_PARENT, find_file

PATCHES = CONFIGS / 'duet/ablation'


class ConfigError(ValueError):
    """A config, or a change to it on the command line, that makes no sense; the message says why."""


def walk(node: Any) -> Iterator[MutableMapping[str, Any]]:
    """Every mapping inside nested mappings and sequences, the outer before the inner."""
    if isinstance(node, MutableMapping):
        yield node
        for value in list(node.values()):
            yield from walk(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from walk(value)


def load_config(path: str | Path) -> Config:
    """Read a config, which ``mmduet.io.config_files.find_config`` finds by its path or its name.

    A config is a Python program: reading one runs it, unless it is YAML or JSON, which makes plain values. It may import
    modules that lie beside it or in the working directory, so that a student, a teacher, a term or a sampler is a file in a
    user's own folder. A ``FileNotFoundError`` names the nearest configs of the package, a ``ConfigError`` the file, line and
    name of a base that cannot be read.

    >>> from mmduet.engine.config_tools import load_config
    >>> load_config('transvg_duet_refcoco').model.type.__name__
    'DistilledGrounder'
    """
    found = find_config(path)
    for folder in (str(found.resolve().parent), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)  # last, so that no file there hides an installed package
    if found.suffix not in SUFFIXES:
        return _read_program(found)
    try:
        check_data_config(found)
        return Config.fromfile(str(found))
    except (YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(str(error) if str(found) in str(error) else f'{found} cannot be read: {error}') from error


def _read_program(path: Path) -> Config:
    try:
        return Config.fromfile(str(path))
    except (AssertionError, ImportError, KeyError, OSError, RuntimeError, SyntaxError, ValueError) as error:
        # An error of the code of a config is shown with its traceback, which names the line.
        sentence = describe_bases(path, error)
        if sentence is None and (isinstance(error, ConfigParsingError) or 'not allowed among bases' in str(error)):
            sentence = f'{path} cannot be read: {error.args[0]}'
        if sentence is None:
            raise
        raise ConfigError(sentence) from error


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Turn ``KEY=VALUE`` into keys and Python values; no literal is a list, as in MMDetection, where it has commas, or text.

    >>> from mmduet.engine.config_tools import parse_options
    >>> parse_options(['train_cfg.max_epochs=3', 'model.head.terms.contrast=None', 'name=abc', 'splits=[val,testA]', 'x=1,2'])
    {'train_cfg.max_epochs': 3, 'model.head.terms.contrast': None, 'name': 'abc', 'splits': ['val', 'testA'], 'x': [1, 2]}
    """
    parsed: dict[str, Any] = {}
    for option in options:
        key, separator, text = option.partition('=')
        if not separator or not key:
            raise ConfigError(f'--cfg-options takes key=value, got {option!r}')
        parsed[key] = _parse_value(text)
    return parsed


def _parse_value(text: str) -> Any:
    literals = {'true': True, 'false': False, 'none': None, 'null': None}
    if text.lower() in literals:
        return literals[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (MemoryError, RecursionError):  # it nests too deep
        return text
    except (ValueError, SyntaxError, TypeError):
        if ',' not in text and text[:1] + text[-1:] not in ('[]', '()'):
            return text
        try:
            return DictAction._parse_iterable(text)
        except RecursionError:
            return text
        except AssertionError as error:  # brackets that do not match
            raise ConfigError(f'--cfg-options: {error}') from error
    return list(value) if isinstance(value, tuple) and not text.strip().startswith('(') else value


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Merge ``--cfg-options``; a ``ConfigError`` for a key that goes through what is no dictionary or list, or past its end."""
    for key, value in parse_options(options).items():
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
            why = error.args[0] if error.args else error
            raise ConfigError(f'--cfg-options {key:.200} does not fit the config: {why}') from error


def apply_options(cfg: Config, options: Sequence[str]) -> None:
    """Merge ``--cfg-options``; a ``ConfigError`` for a key whose first part is not in the config nor one of the runner's.

    ``config_check.apply_checked_options`` checks every part.
    """
    from mmduet.engine.config_check.known import RUNNER  # its package imports this module
    known = [*cfg.keys(), *(key for key in RUNNER if key not in cfg)]
    for key in parse_options(options):
        first = key.partition('.')[0]
        if first not in known:
            raise ConfigError(f'the config has no {first!r} (from {key!r}){nearest(first, known)}')
    merge_options(cfg, options)


def find_patch(name: str | Path) -> Path:
    """The file of a patch: a path, as ``find_file`` takes it, or a name in ``configs/duet/ablation``."""
    with contextlib.suppress(FileNotFoundError):
        path = find_file(name)
        if path.is_file():
            return path
    own = PATCHES / f'{name}.py'
    if own.is_file():
        return own
    known = sorted(path.stem for path in PATCHES.glob('*.py'))
    near = nearest(Path(name).stem, known, 0.4) or f'; there are {", ".join(known)}'
    raise FileNotFoundError(f'there is no patch {name} in configs/duet/ablation{near}')


def apply_patch(cfg: Config, name: str | Path) -> None:
    """Change a config by a patch: a Python file whose function ``change(cfg)`` does what a leaf does below its bases.

    A patch is a Python program, as a config is: applying one runs it. A ``FileNotFoundError`` where there is none, a
    ``ConfigError`` where it has no such function or the config has not what it changes.
    """
    path = find_patch(name)
    if b'\0' in path.read_bytes():
        raise ConfigError(f'{path} is no patch but a binary file')
    try:
        change = runpy.run_path(str(path)).get('change')
    except SyntaxError as error:
        raise ConfigError(f'{error.filename}, line {error.lineno} is no Python: {error.msg}') from error
    if not callable(change):
        raise ConfigError(f'{path} is no patch: it has no function change(cfg)')
    try:
        change(cfg)
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f'the patch {path.stem} does not fit {cfg.filename}: {error}') from error


def _set_everywhere(node: Any, key: str, value: Any) -> int:
    """Set a key in every mapping that has it; return how many there were."""
    found = [inner for inner in walk(node) if key in inner]
    for inner in found:
        inner[key] = value
    return len(found)


def set_data_root(cfg: Config, root: str | Path) -> int:
    """Point every ``data_root`` of a config to one folder, which must be there; return how many there were."""
    folder = Path(root).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no data root {root}: prepare it with mmduet prepare')
    return _set_everywhere(cfg._cfg_dict, 'data_root', str(folder))


def anchor_data_roots(cfg: Config) -> None:
    """Make relative data roots work from any folder: those that are not there are taken from the checkout."""
    for node in walk(cfg._cfg_dict):
        root = node.get('data_root')
        if isinstance(root, str) and not Path(root).exists() and (PACKAGE_PARENT / root).exists():
            node['data_root'] = str(PACKAGE_PARENT / root)


def drop_pretrained(cfg: Config) -> int:
    """Set every ``pretrained`` of a config to None, for random weights of the same geometry; return how many there were."""
    return _set_everywhere(cfg._cfg_dict, 'pretrained', None)


def splits_of(loader: Any) -> list[str]:
    """The splits of all data sets of a loader's config, each once; none where there is no loader.

    >>> from mmduet.engine.config_tools import splits_of
    >>> splits_of({'dataset': {'datasets': [{'splits': ['val', 'testA']}, {'splits': ['val']}]}})
    ['val', 'testA']
    """
    return list(dict.fromkeys(str(split) for node in walk(loader) for split in node.get('splits') or ()))


def set_splits(cfg: Config, loader: str, splits: Sequence[str]) -> None:
    """Set the splits of the data sets of a loader, such as ``'val_dataloader'``; a ``ConfigError`` where there are none."""
    if not _set_everywhere(cfg.get(loader) or {}, 'splits', list(splits)):
        raise ConfigError(f'{loader} of the config has no data set with splits')


def enable_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate by the expressions of an update over those that, as the config must say, its rate is for."""
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise ConfigError('--auto-scale-lr needs the expressions per update that the rate is for; add to the config '
                          'auto_scale_lr = dict(enable=False, base_batch_size=64), or what its schedule was tuned with')
    cfg.auto_scale_lr.enable = True


def set_batch_size(cfg: Config, expressions: int) -> None:
    """Let every process take so many expressions in a training step; a ``ConfigError`` where a sampler makes the batches."""
    loader = cfg.get('train_dataloader')
    own = None if loader is None else loader.get('batch_sampler')
    # One without a size is given the loader's.
    if loader is None or (own is not None and (not isinstance(own, dict) or 'batch_size' in own)):
        raise ConfigError('--batch-size needs a train_dataloader with a batch_size of its own, and no batch_sampler with '
                          'another')
    loader.batch_size = expressions


def add_average(cfg: Config) -> None:
    """Let a moving average of the weights be kept, where the config has none of its own."""
    from mmengine.hooks import EMAHook  # which imports torch
    hooks = list(cfg.get('custom_hooks') or [])
    kinds = [kind for hook in hooks if isinstance(hook, MutableMapping) and (kind := hook.get('type')) is not None]
    if not any(str(getattr(kind, '__name__', kind)).rpartition('.')[2] == 'EMAHook'
               or (isinstance(kind, type) and issubclass(kind, EMAHook)) for kind in kinds):
        # It follows the weights closely at first and over the last 5,000 steps in the end.
        cfg.custom_hooks = [*hooks, {'type': 'EMAHook', 'ema_type': 'MomentumAnnealingEMA'}]


def set_rate(cfg: Config, rate: float, scaled: bool) -> None:
    """Set the learning rate.

    Args:
        rate: of parameters without a ``lr_mult``.
        scaled: whether it is for ``auto_scale_lr.base_batch_size`` expressions and scaled to those of an update; else training
            begins with it as it is, and ``auto_scale_lr`` is taken out.
    """
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer')
    if optimizer is None:
        raise ConfigError('--lr needs an optim_wrapper with its optimizer')
    optimizer.lr = rate
    if not scaled:
        cfg.auto_scale_lr = None
