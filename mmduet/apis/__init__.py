"""High-level interfaces."""
from mmduet.apis.inferencer import GroundingInferencer

__all__ = ['GroundingInferencer']
