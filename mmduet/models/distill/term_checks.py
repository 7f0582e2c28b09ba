"""Checks of a term and its loss, so that a mistake in one of a user is said by the name of the term."""
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from logging import WARNING
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.structures.features import GroundingFeatures
from mmduet.structures.teacher_targets import TARGET_NAMES, TeacherTargets


def check_term(name: str, term: Any) -> DistillTerm:
    """The term itself, if it is built as one.

    Raises:
        ValueError: it extends no ``DistillTerm``, did not call its ``__init__``, or requires what is no target.
    """
    kind = type(term).__name__
    if not isinstance(term, DistillTerm):
        raise ValueError(f'the term {name!r} ({kind}) must extend DistillTerm, of mmduet.models.distill')
    if 'facts' not in vars(term):
        raise ValueError(f'the term {name!r}: {kind}.__init__ must call super().__init__(space, weight)')
    if isinstance(term.required_targets, str) or not set(term.required_targets) <= TARGET_NAMES:
        raise ValueError(f'the term {name!r}: {kind}.required_targets must be a set of {", ".join(sorted(TARGET_NAMES))}, got '
                         f'{term.required_targets!r}')
    return term


@contextmanager
def naming_what_is_none(name: str, term: DistillTerm, features: GroundingFeatures, targets: TeacherTargets) -> Iterator[None]:
    """Within, a term is called: where it meets a None, which Python names by no field, say which fields are None.

    Raises:
        TypeError: names term and fields; comes from Python's own.
    """
    try:
        yield
    except (AttributeError, TypeError) as error:
        if 'NoneType' not in str(error):
            raise
        missing = [f'targets.{field}' for field in sorted(TARGET_NAMES - targets.given().keys())]
        missing += [f'features.{field.name}' for field in fields(features) if getattr(features, field.name) is None]
        raise TypeError(f'the term {name!r} ({type(term).__name__}) met a None ({error}). None are here '
                        f'{", ".join(missing)}: a target is given if required_targets of the term has it') from error


def check_values(losses: Mapping[str, Any], terms: nn.ModuleDict, *, warn: bool) -> None:
    """Refuse what is no single number; warn of a loss that teaches nobody, if asked to.

    Args:
        losses: what each term gave, by ``loss_<name>``.
        terms: by name.
        warn: whether a loss without a gradient is worth a warning, as it may have none in some batches.

    Raises:
        TypeError: names the term.
    """
    for key, value in losses.items():
        name = key.removeprefix('loss_')
        kind = type(terms[name]).__name__
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f'the term {name!r} ({kind}) must return one number, a tensor of shape (), got {got}')
        if warn and torch.is_grad_enabled() and not value.requires_grad:
            print_log(f'the term {name!r} ({kind}) gave a loss without a gradient: it depends on nothing that is trained',
                      logger='current', level=WARNING)
