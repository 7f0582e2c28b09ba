"""Semantic distillation: the student's embeddings become the teacher's, one by one and in their relations.

The terms and their weights are ours: the DUET paper released no code.
"""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.losses.gathering import gather_rows
from mmduet.models.losses.numerics import at_least_float32
from mmduet.models.losses.target_identity import TargetIdentity
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets

# Far below any cosine over a temperature, and finite: masked pairs get probability 0 without 0 * inf.
EXCLUDED = -1e4


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine over paired (B, D) embeddings, which need not have unit norm.

    Returns:
        Scalar in [0, 2].

    Raises:
        ValueError: shapes disagree.
    """
    if student.shape != teacher.shape or student.dim() != 2:
        raise ValueError(f'paired embeddings must both be (B, D), got {tuple(student.shape)} and {tuple(teacher.shape)}')
    return (1 - F.cosine_similarity(at_least_float32(student), at_least_float32(teacher), dim=1)).mean()


def relation_loss(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], temperature: float, same: Tensor) -> Tensor:
    """Divergence of the student's text x region similarities from the teacher's, over rows and over columns.

    Row by row, the teacher's softmax over the regions is the target of the student's (KL, mean over rows); likewise column
    by column; the two are averaged.

    Args:
        student: text and region embeddings, (B, D) of unit norm each.
        teacher: text and region embeddings, (B, D') of unit norm each.
        temperature: > 0, divides the cosines.
        same: (B, B) bool, True for pairs that mean the same object: neither positive nor negative, so left out. The
            diagonal always stays.

    Returns:
        Scalar >= 0; zero where the matrices agree, and for a batch of one.

    Raises:
        ValueError: shapes disagree, or the temperature is not positive.
    """
    batch = student[0].shape[0]
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    shapes = [tuple(value.shape) for value in (*student, *teacher)]
    if any(shape[0] != batch for shape in shapes) or shapes[0] != shapes[1] or shapes[2] != shapes[3] \
            or tuple(same.shape) != (batch, batch):
        raise ValueError('text and region embeddings must be (B, D) for student and for teacher, and same (B, B); got '
                         f'{shapes} and {tuple(same.shape)}')
    excluded = same & ~torch.eye(batch, dtype=torch.bool, device=same.device)
    student_logits, teacher_logits = (
        (at_least_float32(text) @ at_least_float32(region).T / temperature).masked_fill(excluded, EXCLUDED)
        for text, region in (student, teacher))

    def divergence(logits: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(logits.log_softmax(1), target.log_softmax(1), reduction='batchmean', log_target=True)

    return (divergence(student_logits, teacher_logits) + divergence(student_logits.T, teacher_logits.T)) / 2


@MODELS.register_module()
class SemanticDistillLoss(nn.Module):
    """Weighted terms ``loss_text``, ``loss_region``, ``loss_image`` (cosine) and ``loss_relation`` (similarity matrices).

    A term of weight 0 is absent: it asks the teacher for nothing and needs no projector. The defaults are those of our
    study on synthetic scenes; on RefShapes a ``relation_weight`` of 1 is better (docs/refshapes.md).

    Args:
        text_weight, region_weight, image_weight: of the feature terms.
        relation_weight: of the relation term.
        temperature: of the relation term.
        same_target_iou: expressions of one photo whose targets overlap by this much are no negatives of each other.
        gather: relate the expressions of all ranks, so that the loss does not depend on how a batch is split over them.
    """

    def __init__(self, text_weight: float = 1.0, region_weight: float = 1.0, image_weight: float = 1.0,
                 relation_weight: float = 0.2, temperature: float = 0.1, same_target_iou: float = 0.5,
                 gather: bool = True) -> None:
        super().__init__()
        self.feature_weights = {'text': text_weight, 'region': region_weight, 'image': image_weight}
        self.relation_weight = relation_weight
        if min(*self.feature_weights.values(), relation_weight) < 0 or temperature <= 0:
            raise ValueError('weights must not be negative and the temperature must be positive')
        self.temperature = temperature
        self.same_target_iou = same_target_iou
        self.gather = gather

    @property
    def needs(self) -> frozenset[str]:
        """Which embeddings, of the student and of the teacher, the terms compare."""
        features = {name for name, weight in self.feature_weights.items() if weight}
        return frozenset(features | ({'text', 'region'} if self.relation_weight else set()))

    def forward(self, embeddings: dict[str, Tensor], targets: TeacherTargets, identity: TargetIdentity) -> dict[str, Tensor]:
        """Compare the student's (B, D) unit-norm ``embeddings`` with the teacher's ``targets``, for all that is in ``needs``.

        Raises:
            ValueError: the teacher did not answer what is needed.
        """
        teacher: dict[str, Tensor] = {}
        for name in sorted(self.needs):
            value = getattr(targets, name)
            if value is None:
                raise ValueError(f'the semantic loss needs the {name} embedding, which the teacher did not give')
            teacher[name] = value
        losses = {f'loss_{name}': weight * cosine_distance(embeddings[name], teacher[name])
                  for name, weight in self.feature_weights.items() if weight}
        if self.relation_weight:
            losses['loss_relation'] = self.relation_weight * self._relate(embeddings, teacher, identity)
        return losses

    def _relate(self, student: dict[str, Tensor], teacher: dict[str, Tensor], identity: TargetIdentity) -> Tensor:
        student_pair, teacher_pair = (student['text'], student['region']), (teacher['text'], teacher['region'])
        if self.gather:
            student_pair = (gather_rows(student_pair[0]), gather_rows(student_pair[1]))
            teacher_pair = (gather_rows(teacher_pair[0]), gather_rows(teacher_pair[1]))
            identity = identity.gather()
        return relation_loss(student_pair, teacher_pair, self.temperature, identity.same(self.same_target_iou))
