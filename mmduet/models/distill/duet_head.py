"""The distillation head: terms by name."""
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, cast

import torch
from torch import Tensor, nn

from mmduet.models.distill.base_head import DistillHead, Requirement
from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.term_checks import check_term, check_values, naming_what_is_none
from mmduet.models.losses.gathering import require_equal_rows
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


@MODELS.register_module()
class DUETHead(DistillHead):
    """The losses of its terms, ``loss_<name>`` each, in float32 under any autocast.

    Args:
        terms: configs of ``DistillTerm`` by name; one that is None is left out. With several teachers each also says
            ``from_teacher``, the one whose targets it takes.
        channels: C of the student; the wrapper fills it in.
        embed_dims: D by name of the teacher; the wrapper fills it in.
        warmup_steps: all losses grow linearly to full weight over so many updates of the optimizer; 0 for none.
        weight: multiplies all terms, > 0: the balance against the student's box loss, whose weights differ from student to
            student (method, balance).

    Raises:
        ValueError: the weight is not positive, or ``warmup_steps`` negative; a term does not name one of several teachers, or
            names one that is not there, or is none. In its first call, ranks with unequal numbers of expressions
            that a term gathers.

    >>> from mmduet.models.distill import DUETHead, FeatureTerm, RelationTerm
    >>> head = DUETHead(dict(text=dict(type=FeatureTerm, student='text', teacher='text'), relation=dict(type=RelationTerm),
    ...                      contrast=None), channels=64, embed_dims=dict(teacher=512))
    >>> list(head.terms), sorted(head.required_of('teacher'))
    (['text', 'relation'], ['logit_scale', 'region', 'text'])
    """

    def __init__(self, terms: Mapping[str, dict[str, Any] | None], channels: int, embed_dims: Mapping[str, int],
                 warmup_steps: int = 0, weight: float = 1.0) -> None:
        super().__init__()
        if weight <= 0:
            raise ValueError(f'the weight of the head must be positive, got {weight}')
        if warmup_steps < 0:
            raise ValueError(f'warmup_steps must not be negative, got {warmup_steps}')
        self.warmup_steps = warmup_steps
        self.weight = weight
        self._compared_ranks = False
        self._warned = False
        self.spaces = nn.ModuleDict({name: JointSpace(channels, width) for name, width in embed_dims.items()})
        self.terms = nn.ModuleDict()
        self.teacher_of: dict[str, str] = {}
        for name, config in terms.items():
            if config is not None:
                given = dict(config)
                self.teacher_of[name] = self._choose_teacher(name, given.pop('from_teacher', None))
                self.terms[name] = check_term(name, MODELS.build({'space': self.spaces[self.teacher_of[name]], **given}))

    def _choose_teacher(self, term: str, wanted: str | None) -> str:
        if wanted is None and len(self.spaces) == 1:
            return next(iter(self.spaces))
        if wanted is None or wanted not in self.spaces:
            raise ValueError(f'the term {term!r} must say whose targets it takes, by from_teacher: one of '
                             f'{", ".join(self.spaces)}, got {wanted!r}')
        return wanted

    def _named_terms(self) -> Iterator[tuple[str, DistillTerm]]:
        return ((name, cast(DistillTerm, term)) for name, term in self.terms.items())

    def compiled_parts(self) -> list[nn.Module]:
        """The terms, but for those that say they are not to be."""
        return [term for _, term in self._named_terms() if term.compilable]

    @property
    def requirements(self) -> list[Requirement]:
        """See ``DistillHead.requirements``."""
        return [Requirement(term=name, kind=type(term).__name__, teacher=self.teacher_of[name],
                            targets=frozenset(term.required_targets))
                for name, term in self._named_terms()]

    def forward(self, features: GroundingFeatures, targets: Mapping[str, TeacherTargets],
                batch: GroundingBatch) -> dict[str, Tensor]:
        """See ``DistillHead.forward``."""
        if not self._compared_ranks and any(term.gathers for _, term in self._named_terms()):
            require_equal_rows(len(batch))  # out here, as terms may be compiled
            self._compared_ranks = True
        with ExitStack() as spaces, torch.autocast(features.visual.device.type, enabled=False):
            for space in self.spaces.values():
                spaces.enter_context(cast(JointSpace, space).once())
            exact = features.float()
            losses = {}
            for name, term in self._named_terms():
                given = targets[self.teacher_of[name]]
                with naming_what_is_none(name, term, exact, given):
                    losses[f'loss_{name}'] = term(exact, given, batch, self.steps)
        check_values(losses, self.terms, warn=self.training and not self._warned)
        self._warned |= self.training
        share = self.weight * (min(1.0, (self.steps + 1) / self.warmup_steps) if self.warmup_steps else 1.0)
        if self.training:
            self.count_call()
        return losses if share == 1 else {name: share * value for name, value in losses.items()}
