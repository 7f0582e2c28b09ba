"""The base of every teacher."""
from abc import ABC, abstractmethod
from collections.abc import Set

from torch import nn

from mmduet.structures import GroundingBatch, TeacherTargets


class BaseTeacher(nn.Module, ABC):
    """A frozen model that gives targets for a batch; in no checkpoint, optimizer or average.

    A teacher sets ``embed_dims`` and ``gives`` and implements ``forward``.

    Attributes:
        embed_dims: D of its joint space; None where that is not known yet, or there is none.
        gives: fields of ``TeacherTargets`` that it can give.
    """

    embed_dims: int | None
    gives: frozenset[str]

    def train(self, mode: bool = True) -> 'BaseTeacher':
        """Stay in eval mode, whatever the argument."""
        return super().train(False)

    def init_weights(self) -> None:
        """Called once before training: where a teacher opens its files, if it has any."""

    @abstractmethod
    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """Give the ``required`` fields of ``TeacherTargets``, all of them in ``gives``, and nothing else."""
