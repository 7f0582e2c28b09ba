"""Models for ONNX Runtime: an exporter, which needs PyTorch, and a predictor that needs NumPy, Pillow and onnxruntime alone."""
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmduet.export.onnx_exporter import OnnxExporter
    from mmduet.export.runtime import OnnxGrounder

_PLACES = {'OnnxExporter': 'onnx_exporter', 'OnnxGrounder': 'runtime'}

__all__ = ['OnnxExporter', 'OnnxGrounder']


def __getattr__(name: str) -> Any:
    """The two by their names, so that the predictor is imported without PyTorch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_PLACES[name]}'), name)
