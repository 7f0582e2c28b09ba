"""Visual grounding with dual knowledge distillation, on MMEngine and MMDetection."""
from mmduet.compat import prepare_host

__version__ = '0.1.0'

prepare_host()

__all__ = ['__version__']
