"""The base of every teacher."""
from abc import ABC, abstractmethod
from collections.abc import Set

from torch import nn

from mmduet.structures import GroundingBatch, TeacherTargets


class BaseTeacher(nn.Module, ABC):
    """What a frozen model gives about a batch; in eval mode whatever is asked, in no checkpoint, optimizer or average.

    A teacher sets ``embed_dims`` and ``gives`` and implements ``forward``.

    Attributes:
        embed_dims: D of its joint space; None where it does not know yet, or has no such space.
        gives: fields of ``TeacherTargets`` that it can give.
    """

    embed_dims: int | None
    gives: frozenset[str]

    def train(self, mode: bool = True) -> 'BaseTeacher':
        """Stay in eval mode, whatever is asked."""
        return super().train(False)

    def init_weights(self) -> None:
        """Called once before training: where a teacher opens what it reads from, if it does."""

    @abstractmethod
    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """Give what is required, and nothing else.

        Args:
            batch: on the device of the teacher.
            required: fields of ``TeacherTargets``, all of them in ``gives``.
        """
