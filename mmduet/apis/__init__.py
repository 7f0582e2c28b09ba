"""High-level interfaces: a model that travels, and answers to images and expressions."""
from mmduet.apis.inferencer import GroundingInferencer
from mmduet.apis.pretrained import GrounderConfig, PretrainedGrounder
from mmduet.apis.results import GroundingResult, GroundingResults

__all__ = ['GrounderConfig', 'GroundingInferencer', 'GroundingResult', 'GroundingResults', 'PretrainedGrounder']
