"""Feature distillation: an embedding of the student becomes one of the teacher."""
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.losses.semantic_losses import cosine_distance
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets

# Fields of ``TeacherTargets`` with axes (B, D).
EMBEDDINGS = ('image', 'region', 'text')


@MODELS.register_module()
class FeatureTerm(DistillTerm):
    """Cosine distance between an embedding of the student and one of the teacher (method, semantic distillation).

    Args:
        space: see ``DistillTerm``.
        student: embedding of the student, ``'text'``, ``'region'`` or ``'image'``.
        teacher: field of ``TeacherTargets`` with axes (B, D): ``'text'``, ``'region'`` or ``'image'``.
        weight: of the loss, which lies in [0, 2].

    Raises:
        ValueError: there is no such embedding or field.
    """

    def __init__(self, space: JointSpace, student: str, teacher: str, weight: float = 1.0) -> None:
        super().__init__(space, weight)
        if teacher not in EMBEDDINGS:
            raise ValueError(f'a feature term takes an embedding for each expression of the teacher, '
                             f'{", ".join(EMBEDDINGS)}, not {teacher!r}')
        self.student = student
        self.teacher = teacher
        self.required_targets = frozenset({teacher})
        self._embed = space.require(student)

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        return self.weight * cosine_distance(self._embed(self.student, features, batch), targets.get(self.teacher))
