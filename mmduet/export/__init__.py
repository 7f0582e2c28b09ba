"""Models for ONNX Runtime: an exporter, which needs PyTorch, and a predictor that needs NumPy, Pillow and onnxruntime alone."""
from typing import TYPE_CHECKING

from mmduet.lazy_names import lazy_names

__all__ = ['OnnxExporter', 'OnnxGrounder']

if TYPE_CHECKING:
    from mmduet.export.onnx_exporter import OnnxExporter
    from mmduet.export.runtime import OnnxGrounder
else:  # hidden from type checkers, to which any name would be one of ours
    __getattr__ = lazy_names(__name__, {'OnnxExporter': 'onnx_exporter', 'OnnxGrounder': 'runtime'})
