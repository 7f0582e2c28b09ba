"""Models for ONNX Runtime: an exporter, which needs PyTorch, and a predictor that needs NumPy, Pillow and onnxruntime alone."""
from importlib import import_module
from typing import TYPE_CHECKING

_PLACES = {'OnnxExporter': 'onnx_exporter', 'OnnxGrounder': 'runtime'}

__all__ = ['OnnxExporter', 'OnnxGrounder']

if TYPE_CHECKING:
    from mmduet.export.onnx_exporter import OnnxExporter
    from mmduet.export.runtime import OnnxGrounder
else:  # hidden from type checkers, to which any name would be one of ours

    def __getattr__(name: str) -> object:
        """The two by their names, so that the predictor is imported without PyTorch."""
        if name not in _PLACES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module(f'{__name__}.{_PLACES[name]}'), name)
