"""What a teacher gives for a batch."""
from dataclasses import dataclass, fields

from torch import Tensor

from mmduet.structures.axes import Axes, check_axes

# Embeddings of the joint space share its width D; a feature map has a width E of its own.
_AXES: dict[str, Axes] = {
    'text': ('B', 'D'), 'region': ('B', 'D'), 'image': ('B', 'D'), 'patches': ('U', 'D', 'h', 'w'),
    'others': ('U', 'm', 'D'), 'similarity': ('B', 'rows', 'columns'), 'boxes': ('B', 'k', 4), 'scores': ('B', 'k'),
    'feature_map': ('U', 'E', 'height', 'width'), 'logit_scale': (), 'logit_bias': ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherTargets:
    """Targets of one teacher for B expressions about U images; embeddings are in its joint space, of unit norm.

    A teacher gives what is required of it; every other field is None. D is the width of the joint space.

    Raises:
        TypeError: a field is no tensor.
        ValueError: a tensor has other axes, or carries a gradient.

    >>> import torch
    >>> from mmduet.structures import TeacherTargets
    >>> TeacherTargets(text=torch.eye(2, 6), boxes=torch.rand(2, 3, 4)).region is None
    True
    """

    text: Tensor | None = None  # (B, D) embedding of the expression
    region: Tensor | None = None  # (B, D) embedding of the crop of the target box
    image: Tensor | None = None  # (B, D) embedding of the whole image, without padding
    patches: Tensor | None = None  # (U, D, h, w) patch features in the joint space that cover the image without padding
    # (U, m, D) embeddings of the crops of ``batch.other_boxes``, in their order; 0 where there is no box, or one of no area.
    others: Tensor | None = None
    # (B, rows, columns) cosine in [-1, 1] of each patch of the image, without padding, with the expression.
    similarity: Tensor | None = None
    boxes: Tensor | None = None  # (B, k, 4) boxes of a grounding teacher, cxcywh in [0, 1] of the canvas
    scores: Tensor | None = None  # (B, k) its confidence in each, in [0, 1]
    feature_map: Tensor | None = None  # (U, E, height, width) a map of the teacher's own width E that covers the canvas
    logit_scale: Tensor | None = None  # () what the teacher multiplies its cosines by before a softmax or sigmoid
    logit_bias: Tensor | None = None  # () what it adds to them then (SigLIP)

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            if not isinstance(value, Tensor):
                raise TypeError(f'TeacherTargets.{name} must be a tensor, got {type(value).__name__}')
        check_axes(self, _AXES)
        for name, value in self.given().items():
            if value.requires_grad:
                raise ValueError(f'TeacherTargets.{name} carries a gradient; a teacher is frozen')

    def given(self) -> dict[str, Tensor]:
        """What the teacher has given, by field."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def get(self, name: str) -> Tensor:
        """The tensor of a field; ValueError if the teacher has not given it."""
        value: Tensor | None = getattr(self, name)
        if value is None:
            raise ValueError(f'the teacher gave no {name}, only {", ".join(self.given()) or "nothing"}')
        return value


TARGET_NAMES = frozenset(_AXES)
PER_EXPRESSION = frozenset(name for name, axes in _AXES.items() if axes[:1] == ('B', ))
PER_IMAGE = frozenset(name for name, axes in _AXES.items() if axes[:1] == ('U', ))
