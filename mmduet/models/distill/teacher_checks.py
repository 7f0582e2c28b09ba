"""Checks of a teacher and its targets, so that a mistake in one of a user is said by its class."""
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmduet.io.text import counted
from mmduet.models.base_teacher import BaseTeacher
from mmduet.structures.teacher_targets import PER_EXPRESSION, TARGET_NAMES, TeacherTargets

EMBEDDINGS = ('image', 'region', 'text')
# float16 and bfloat16 keep a norm to this.
UNIT = 0.02
# CLIP learns the logarithm of what it multiplies by: 2.7 at its start and 4.6 at its end.
LIKE_A_LOGARITHM = 5.0


def check_teacher(teacher: Any) -> BaseTeacher:
    """The teacher itself, if it is built as one.

    Raises:
        ValueError: it extends no ``BaseTeacher``, did not call its ``__init__``, or does not say what it gives.
    """
    kind = type(teacher).__name__
    if not isinstance(teacher, BaseTeacher):
        raise ValueError(f'the teacher {kind} must extend BaseTeacher, of mmduet.models.base_teacher')
    if '_modules' not in vars(teacher):
        raise ValueError(f'{kind}.__init__ must call super().__init__()')
    gives = getattr(teacher, 'gives', None)
    if not isinstance(gives, frozenset | set) or not gives <= TARGET_NAMES:
        raise ValueError(f'{kind}.gives must be a set of {", ".join(sorted(TARGET_NAMES))}, got {gives!r}')
    width = getattr(teacher, 'embed_dims', 'nothing')
    if width is not None and type(width) is not int:
        raise ValueError(f'{kind}.__init__ must set self.embed_dims, the width D of its embeddings, or None without a joint '
                         f'space, got {width!r}')
    return teacher


def check_targets(teacher: BaseTeacher, targets: Any, expressions: int) -> TeacherTargets:
    """The targets themselves, if they are of this batch and of the width that the teacher states.

    Raises:
        TypeError: they are no ``TeacherTargets``.
        ValueError: names class and field.
    """
    kind = type(teacher).__name__
    if not isinstance(targets, TeacherTargets):
        raise TypeError(f'{kind}.forward must return TeacherTargets, got {type(targets).__name__}')
    for name, value in targets.given().items():
        if name in PER_EXPRESSION and value.shape[0] != expressions:
            raise ValueError(f'{kind}.forward gave {name} of {counted(value.shape[0], "row")} for a batch of '
                             f'{counted(expressions, "expression")}: batch.expand(...) makes '
                             'rows of expressions of rows of images')
        if name in EMBEDDINGS and teacher.embed_dims not in (None, value.shape[1]):
            raise ValueError(f'{kind}.forward gave {name} of width {value.shape[1]}, and {kind}.embed_dims is '
                             f'{teacher.embed_dims}')
    return targets


def random_states() -> list[Tensor]:
    """States of the generators of this process, which a teacher leaves alone if a batch always has the same targets."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [])]


def note_draws(before: list[Tensor]) -> dict[str, Tensor]:
    """The fact that random numbers were drawn since then; empty where none were."""
    drawn = any(not old.equal(new) for old, new in zip(before, random_states(), strict=False))
    return {'draws': torch.ones(())} if drawn else {}


def measure_targets(targets: TeacherTargets) -> dict[str, Tensor]:
    """Scalars that tell whether targets are in their units, on their device: how far a norm is from 1, and the scale."""
    given = targets.given()
    facts = {name: (given[name].float().norm(dim=1) - 1).abs().max() for name in EMBEDDINGS if name in given}
    return facts | {'logit_scale': given['logit_scale']} if 'logit_scale' in given else facts


def describe_units(kind: str, facts: Mapping[str, float]) -> list[str]:
    """A sentence for each number of ``measure_targets`` and ``note_draws`` that is not as it must be; NaN is a loss's to tell.

    >>> describe_units('MyTeacher', {'text': 4.0, 'region': 0.001, 'logit_scale': 4.6})[1]
    'MyTeacher gave a logit_scale of 4.6: it is what cosines are multiplied by, of CLIP the exponential of its parameter'
    """
    said = [f'{kind} gave {name} embeddings whose norm is not 1 but off by {off:.2g}: divide by it (F.normalize), or losses '
            'mean something else' for name, off in facts.items() if name in EMBEDDINGS and off > UNIT]
    if 'draws' in facts:
        said.append(f'{kind} drew random numbers in its first call, so that a batch may have other targets each time: a '
                    'forward that calls train() turns dropout on')
    scale = facts.get('logit_scale', LIKE_A_LOGARITHM)
    if scale < LIKE_A_LOGARITHM:
        said.append(f'{kind} gave a logit_scale of {scale:.3g}: it is what cosines are multiplied by, of CLIP the exponential '
                    'of its parameter')
    return said
