"""The base of distillation heads."""
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a term reads of a teacher.

    Attributes:
        term, kind: name and class of the term.
        teacher: name of the teacher.
        targets: fields of ``TeacherTargets``.
    """

    term: str
    kind: str
    teacher: str
    targets: frozenset[str]


class DistillHead(nn.Module, ABC):
    """Losses between a student's features and teachers' targets."""

    @property
    @abstractmethod
    def requirements(self) -> Sequence[Requirement]:
        """What each term reads."""

    def required_of(self, teacher: str) -> frozenset[str]:
        """Fields of ``TeacherTargets`` that a teacher is asked for."""
        return frozenset().union(*(need.targets for need in self.requirements if need.teacher == teacher))

    @abstractmethod
    def forward(self, features: GroundingFeatures, targets: Mapping[str, TeacherTargets],
                batch: GroundingBatch) -> dict[str, Tensor]:
        """Scalars by ``loss_<name>``.

        Args:
            features: of the student.
            targets: of each teacher, by its name.
            batch: what all saw.
        """
