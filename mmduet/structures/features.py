"""The contract between students, teachers and distillation heads: who says what, in which shape."""
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor


def _check(instance: Any, expected: dict[str, tuple[int, ...]], booleans: tuple[str, ...] = ()) -> None:
    for name, shape in expected.items():
        actual = tuple(getattr(instance, name).shape)
        if actual != shape:
            raise ValueError(f'{type(instance).__name__}.{name} must have shape {shape}, got {actual}')
    for name in booleans:
        dtype = getattr(instance, name).dtype
        if dtype != torch.bool:
            raise ValueError(f'{type(instance).__name__}.{name} must be bool, True where padding, got {dtype}')


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingFeatures:
    """What a student saw and answered; all that a distillation head may read.

    B expressions, L tokens, C channels, S decoding stages (TransVG 1, VLTVG 6).

    Attributes:
        boxes: (S, B, 4) cxcywh in [0, 1] of the canvas; the last stage is the answer.
        query: (B, C) embedding that the last box was read from.
        visual: (B, C, H, W) map that the fusion reads (before any word has touched it, where the student allows).
        visual_padding: (B, H, W) bool, True where the cell is padding.
        text: (B, L, C) token features that the fusion reads.
        text_padding: (B, L) bool, True where the token is padding.
        fused: (B, C, H, W) the map once it has read the words, where the student has such a map of the size of ``visual``.
    """

    boxes: Tensor
    query: Tensor
    visual: Tensor
    visual_padding: Tensor
    text: Tensor
    text_padding: Tensor
    fused: Tensor | None = None

    def __post_init__(self) -> None:
        if self.visual.dim() != 4 or self.text.dim() != 3:
            raise ValueError('GroundingFeatures needs visual (B, C, H, W) and text (B, L, C), got '
                             f'{tuple(self.visual.shape)} and {tuple(self.text.shape)}')
        batch, channels, height, width = self.visual.shape
        tokens = self.text.shape[1]
        _check(self, {
            'boxes': (self.boxes.shape[0], batch, 4),
            'query': (batch, channels),
            'visual_padding': (batch, height, width),
            'text': (batch, tokens, channels),
            'text_padding': (batch, tokens),
            **({} if self.fused is None else {'fused': tuple(self.visual.shape)}),
        }, booleans=('visual_padding', 'text_padding'))


# B and D are the same in all fields.
_TARGET_AXES = {'patches': 'BDhw', 'similarity': 'Bhw', 'distractors': 'BnD'}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherTargets:
    """What a teacher says about a batch, in its joint space of D dimensions; every embedding has unit norm.

    A teacher answers what it is asked for; what nobody asked for is None.

    Attributes:
        text: (B, D) embedding of the expression.
        region: (B, D) embedding of the crop of the target box.
        image: (B, D) embedding of the whole photo, without padding.
        patches: (B, D, h, w) dense embeddings that cover the photo without padding.
        similarity: (B, h, w) cosine in [-1, 1] of each cell of a dense reading of the photo, without padding, with the
            expression.
        distractors: (B, n, D) embeddings of the crops of the other annotated boxes, in the order of the sample's
            ``distractors``; n is the largest number in the batch, and rows without a box, or with one of no area, are 0.
    """

    text: Tensor | None = None
    region: Tensor | None = None
    image: Tensor | None = None
    patches: Tensor | None = None
    similarity: Tensor | None = None
    distractors: Tensor | None = None

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        sizes: dict[str, int] = {}
        for name, value in ((name, value) for name, value in given.items() if value is not None):
            axes = _TARGET_AXES.get(name, 'BD')
            if value.dim() != len(axes):
                raise ValueError(f'TeacherTargets.{name} must be ({", ".join(axes)}), got {tuple(value.shape)}')
            shape = dict(zip(axes, value.shape, strict=True))
            for axis in {'B', 'D'} & shape.keys():
                sizes.setdefault(axis, shape[axis])
            _check(self, {name: tuple(sizes[axis] if axis in 'BD' else shape[axis] for axis in axes)})
            if value.requires_grad:
                raise ValueError(f'TeacherTargets.{name} carries a gradient; a teacher is frozen')
