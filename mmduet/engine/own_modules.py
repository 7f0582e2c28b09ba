"""Files of a user that define students and their parts: importing them by name, and naming them where others must."""
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import isclass
from pathlib import Path
from typing import Any

from mmduet.engine.config_tools import ConfigError, walk

# Whose registered classes every installation finds by itself.
_INSTALLED = frozenset({'mmduet', 'mmdet', 'mmengine', 'mmcv', 'torch', 'torchvision', '__main__'})


def import_own(names: Sequence[str]) -> None:
    """Import files (``folder/my_grounder.py``) or modules (``my_grounder``, also of the working directory), in their order.

    Raises:
        ConfigError: there is no such file or module, or another module of a file's name is imported already.
    """
    for name in names:
        path = Path(name)
        is_file = path.suffix == '.py'
        if is_file and not path.is_file():
            raise ConfigError(f'--import {name}: there is no such file')
        folder, module = (path.resolve().parent, path.stem) if is_file else (Path.cwd(), name)
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # last, so that no file there hides an installed package
        try:
            found = getattr(import_module(module), '__file__', None)
        except ModuleNotFoundError as error:
            if error.name is None or module.split('.')[:error.name.count('.') + 1] != error.name.split('.'):
                raise  # of what the module itself imports
            raise ConfigError(f'--import {name}: there is no module {error.name}; name a file, as my_grounder.py') from error
        if is_file and (found is None or Path(found).resolve() != path.resolve()):
            raise ConfigError(f'--import {name}: another module is called {module}, {found or "a built-in one"}: rename the '
                              'file')


def own_modules(config: Any) -> list[str]:
    """The modules of the types of a config that no package of the host has; they are imported first."""
    kinds = [node.get('type') for node in walk(config)]
    modules = dict.fromkeys(kind.__module__ for kind in kinds if isclass(kind))
    return [module for module in modules if module.partition('.')[0] not in _INSTALLED]


def own_files(config: Any) -> list[str]:
    """The same as ``import_own`` takes them: a file each, or the name of a module inside a package."""
    return [_file_of(module) for module in own_modules(config)]


def _file_of(module: str) -> str:
    file = getattr(sys.modules.get(module), '__file__', None)
    if '.' in module or file is None:
        return module
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def parts_of_prediction(config: Mapping[str, Any]) -> list[Any]:
    """The parts of a training config that a predictor is built of: the student, and how it is shown an image."""
    model, loader = config.get('model') or {}, config.get('test_dataloader') or {}
    return [model.get('student', model), (loader.get('dataset') or {}).get('pipeline')]
