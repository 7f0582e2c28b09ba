"""High-level interfaces: a model that travels, and answers to images and expressions.

They are imported when they are asked for, so that what needs no PyTorch can be imported without it.
"""
from importlib import import_module
from typing import TYPE_CHECKING

_PLACES = {'Explanation': 'attention', 'GroundingInferencer': 'inferencer', 'GrounderConfig': 'description',
           'PretrainedGrounder': 'pretrained', 'GroundingResult': 'results', 'GroundingResults': 'results',
           'explain': 'attention'}

__all__ = ['Explanation', 'GrounderConfig', 'GroundingInferencer', 'GroundingResult', 'GroundingResults', 'PretrainedGrounder',
           'explain']

if TYPE_CHECKING:
    from mmduet.apis.attention import Explanation, explain
    from mmduet.apis.description import GrounderConfig
    from mmduet.apis.inferencer import GroundingInferencer
    from mmduet.apis.pretrained import PretrainedGrounder
    from mmduet.apis.results import GroundingResult, GroundingResults
else:  # hidden from type checkers, to which any name would be one of ours

    def __getattr__(name: str) -> object:
        """The interfaces by their names."""
        if name not in _PLACES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module(f'{__name__}.{_PLACES[name]}'), name)
