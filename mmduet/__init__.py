"""Visual grounding with dual knowledge distillation, on MMEngine and MMDetection."""
from typing import TYPE_CHECKING

from mmduet.compat import prepare_host
from mmduet.lazy_names import lazy_names

__version__ = '0.1.0'

prepare_host()

__all__ = ['GroundingInferencer', 'PretrainedGrounder', '__version__']

if TYPE_CHECKING:
    from mmduet.apis import GroundingInferencer, PretrainedGrounder
else:  # hidden from type checkers, to which any name would be one of ours
    # Their import takes seconds; and that the package offers them does not make its parts depend on them.
    __getattr__ = lazy_names(__name__, {'GroundingInferencer': 'apis', 'PretrainedGrounder': 'apis'})
