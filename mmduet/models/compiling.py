"""Compiling a grounder so that a training compiles a handful of shapes, and none after them."""
from typing import Any

import torch._dynamo as dynamo
from torch import nn

from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.distill import DistilledGrounder, student_of

# Graphs that one function may have. PyTorch's limit of 8, beyond which it stops compiling, is below lengths of text x images
# shared or not x training and evaluation.
MOST_GRAPHS = 64


def compile_grounder(model: nn.Module, **options: Any) -> list[nn.Module]:
    """Compile a student and the terms of its head, in place; how it computes, and what a checkpoint holds, stays the same.

    A graph is made for each length that texts are padded to (``mmduet.models.layers.tokenizers.LENGTHS``), with and without
    images that several expressions share, and serves any number of images and of other objects. Visual tokens that are padding
    are encoded: how many there are is another number in every batch. Teachers, the drawing of regions and what becomes of boxes
    afterwards stay as they are: they read texts.

    Args:
        model: a grounder, plain or distilled; any other model is compiled as a whole.
        options: of ``torch.compile``.

    Returns:
        The modules that are compiled, at their first call.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.models.compiling import compile_grounder
    >>> from mmduet.registry import MODELS
    >>> model = MODELS.build(load_config('configs/duet/transvg_duet_refshapes.py').model)
    >>> [type(part).__name__ for part in compile_grounder(model, backend='eager')]
    ['TransVG', 'FeatureTerm', 'FeatureTerm', 'FeatureTerm', 'RelationTerm', 'DenseContrastTerm']
    """
    dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, MOST_GRAPHS)
    parts: list[nn.Module] = [student_of(model)]
    if isinstance(model, DistilledGrounder):
        parts += model.head.compiled_parts()
    preprocessor = getattr(model, 'data_preprocessor', None)
    if isinstance(preprocessor, GroundingDataPreprocessor):
        preprocessor.marks_sizes = preprocessor.encode_padding = True
    for part in parts:
        part.compile(**options)
    return parts

