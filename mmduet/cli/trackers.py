"""Whether the packages that a config writes its curves to are installed, asked before data and model are built."""
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mmduet.engine.config_tools import ConfigError

if TYPE_CHECKING:
    from mmengine.config import Config

# By the backends of MMEngine's visualizer, which import them with their first line.
PACKAGES = {'TensorboardVisBackend': 'tensorboard', 'WandbVisBackend': 'wandb', 'MLflowVisBackend': 'mlflow',
            'ClearMLVisBackend': 'clearml', 'NeptuneVisBackend': 'neptune', 'DVCLiveVisBackend': 'dvclive',
            'AimVisBackend': 'aim'}


def require_trackers(cfg: 'Config') -> None:
    """Raise a ``ConfigError`` with the command that installs what a backend of ``visualizer.vis_backends`` needs."""
    for index, backend in enumerate((cfg.get('visualizer') or {}).get('vis_backends') or ()):
        for name in _names(backend.get('type')):
            package = PACKAGES.get(name)
            if package is not None and find_spec(package) is None:
                raise ConfigError(f'visualizer.vis_backends[{index}]: {name} needs the package {package}, which is not '
                                  f'installed: pip install {package}')


def _names(kind: Any) -> list[str]:
    """The name of a class that a config gives by itself or by its name, and those of its bases."""
    if isinstance(kind, str):
        return [kind.rpartition('.')[2]]
    return [base.__name__ for base in getattr(kind, '__mro__', ())]
