"""The base of every distillation term."""
from abc import ABC, abstractmethod

from torch import Tensor, nn

from mmduet.models.distill.joint_space import JointSpace
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


class DistillTerm(nn.Module, ABC):
    """One loss between a student's features and a teacher's targets, or between the student's own features.

    A term is a file: registered in ``MODELS``, named in the config's ``head.terms``, it becomes ``loss_<name>``. It owns its
    weight, samplers, anchors and projectors of its own.

    Args:
        space: the student's embeddings in the teacher's space; ``space.channels`` and ``space.embed_dims`` are the widths for
            a projector of its own. Given by the head, not by the config.
        weight: what the loss is multiplied by, > 0; a term is left out by setting it to None in the config.

    Attributes:
        required_targets: fields of ``TeacherTargets`` that the teacher is to give.
        compilable: whether ``torch.compile`` may compile it with the student. A term that reads ``step`` would be compiled at
            every step, unless it does so where it is not compiled (``terms.sampling.draws_regions``).
        gathers: whether it gathers the expressions of all ranks, of which each must then bring the same number.
        facts: scalars of the first training call by what they say, if a term keeps any; logged once, with its losses.

    Raises:
        ValueError: the weight is not positive.
    """

    required_targets: frozenset[str] = frozenset()
    compilable = True
    gathers: bool = False

    def __init__(self, space: JointSpace, weight: float = 1.0) -> None:
        super().__init__()
        if weight <= 0:
            raise ValueError(f'{type(self).__name__}: the weight must be positive, got {weight}; to leave the term out, set it '
                             'to None')
        self.weight = weight
        self.facts: dict[str, Tensor] = {}

    @abstractmethod
    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """The weighted loss, a scalar, from the student's float32 features and the teacher's required targets.

        ``step`` counts the updates of the optimizer, from 0: training calls whose gradients are summed have the same.
        """
