"""The base of distillation heads."""
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """Losses between a student's features and teachers' targets."""

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
