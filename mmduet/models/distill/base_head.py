"""The base of distillation heads."""
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a term requires of a teacher."""

    term: str
    kind: str  # the class of the term
    teacher: str
    targets: frozenset[str]  # fields of ``TeacherTargets``


class DistillHead(nn.Module, ABC):
    """Losses between a student's features and teachers' targets.

    Attributes:
        steps: updates of the optimizer so far, saved with the weights. A training call is an update, unless ``accumulate``
            says otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.accumulate(1)

    def accumulate(self, calls: int, made: int = 0) -> None:
        """Let an update follow every ``calls`` training calls, ``made`` of which the next one has seen; the runner says so."""
        self._calls_per_update, self._calls = calls, made

    def count_call(self) -> None:
        """Count a training call, at its end."""
        self._calls = (self._calls + 1) % self._calls_per_update
        self.steps += self._calls == 0

    def get_extra_state(self) -> Tensor:
        """The number of updates, so that a resumed run goes on with warm-up and sampling where it stopped."""
        return torch.tensor(self.steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on after so many updates."""
        self.steps = int(state)

    def compiled_parts(self) -> list[nn.Module]:
        """Parts that ``torch.compile`` may compile, none unless a head says so: what reads ``steps`` would be, at each step."""
        return []

    @property
    @abstractmethod
    def requirements(self) -> Sequence[Requirement]:
        """What each term requires."""

    def required_of(self, teacher: str) -> frozenset[str]:
        """Fields of ``TeacherTargets`` that are required of a teacher."""
        return frozenset().union(*(each.targets for each in self.requirements if each.teacher == teacher))

    @abstractmethod
    def forward(self, features: GroundingFeatures, targets: Mapping[str, TeacherTargets],
                batch: GroundingBatch) -> dict[str, Tensor]:
        """Scalars by ``loss_<name>`` for the student's features and each teacher's targets, by its name."""
