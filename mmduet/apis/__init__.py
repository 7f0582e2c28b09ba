"""High-level interfaces: a model that travels, and answers to images and expressions.

They are imported when they are asked for, so that what needs no PyTorch can be imported without it.
"""
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmduet.apis.inferencer import GroundingInferencer
    from mmduet.apis.pretrained import GrounderConfig, PretrainedGrounder
    from mmduet.apis.results import GroundingResult, GroundingResults

_PLACES = {'GroundingInferencer': 'inferencer', 'GrounderConfig': 'pretrained', 'PretrainedGrounder': 'pretrained',
           'GroundingResult': 'results', 'GroundingResults': 'results'}

__all__ = ['GrounderConfig', 'GroundingInferencer', 'GroundingResult', 'GroundingResults', 'PretrainedGrounder']


def __getattr__(name: str) -> Any:
    """The interfaces by their names."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_PLACES[name]}'), name)
