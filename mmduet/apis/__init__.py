"""High-level interfaces: a model that travels, and answers to images and expressions.

They are imported when they are asked for, so that what needs no PyTorch can be imported without it.
"""
from typing import TYPE_CHECKING

from mmduet.lazy_names import lazy_names

__all__ = ['Explanation', 'GrounderConfig', 'GroundingInferencer', 'GroundingResult', 'GroundingResults', 'PretrainedGrounder',
           'explain']

if TYPE_CHECKING:
    from mmduet.apis.attention import Explanation, explain
    from mmduet.apis.description import GrounderConfig
    from mmduet.apis.inferencer import GroundingInferencer
    from mmduet.apis.pretrained import PretrainedGrounder
    from mmduet.apis.results import GroundingResult, GroundingResults
else:  # hidden from type checkers, to which any name would be one of ours
    __getattr__ = lazy_names(__name__, {
        'Explanation': 'attention', 'GroundingInferencer': 'inferencer', 'GrounderConfig': 'description',
        'PretrainedGrounder': 'pretrained', 'GroundingResult': 'results', 'GroundingResults': 'results',
        'explain': 'attention'})
