"""Visual grounding with dual knowledge distillation, on MMEngine and MMDetection."""
from importlib import import_module
from typing import TYPE_CHECKING

from mmduet.compat import prepare_host

__version__ = '0.1.0'

prepare_host()

_INTERFACES = ('GroundingInferencer', 'PretrainedGrounder')

__all__ = ['GroundingInferencer', 'PretrainedGrounder', '__version__']


if TYPE_CHECKING:
    from mmduet.apis import GroundingInferencer, PretrainedGrounder
else:  # hidden from type checkers, to which any name would be one of ours

    def __getattr__(name: str) -> object:
        """``GroundingInferencer`` and ``PretrainedGrounder``, whose import takes seconds, when they are asked for."""
        if name not in _INTERFACES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        # By its name: that the package offers them does not make its parts depend on them.
        return getattr(import_module('mmduet.apis'), name)
