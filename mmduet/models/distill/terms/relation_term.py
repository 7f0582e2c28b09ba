"""Relation distillation: how expressions and regions of a batch relate becomes for the student what it is for the teacher."""
import torch
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.losses.gathering import gather_identity, gather_rows
from mmduet.models.losses.semantic_losses import (
    accumulated_relation_loss,
    distance_to_uniform,
    relation_logits,
    relation_loss,
)
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TargetIdentity, TeacherTargets


class EmbeddingBank:
    """What earlier steps of the same update have embedded, without gradient, where gradients are accumulated."""

    def __init__(self) -> None:
        self._step = -1
        self._rows: tuple[Tensor, ...] = ()

    def join(self, step: int, *rows: Tensor) -> tuple[Tensor, ...]:
        """Tensors of a call, each followed by the rows that earlier calls with the same ``step`` brought for it."""
        if step == self._step:
            rows = tuple(torch.cat(pair) for pair in zip(rows, self._rows, strict=True))
        self._step, self._rows = step, tuple(tensor.detach() for tensor in rows)
        return rows


@MODELS.register_module()
class RelationTerm(DistillTerm):
    """Divergence of the student's text x region similarities from the teacher's (method, semantic distillation).

    The teacher's cosines are multiplied by the logit scale that it was trained with, the student's divided by a temperature of
    its own. How far the teacher's softmax is from uniform is logged once: near 0 nats it says nothing.

    Args:
        space: see ``DistillTerm``.
        weight: of the loss.
        temperature: > 0, divides the student's cosines.
        same_target_iou: expressions of one image whose targets overlap by this much are no negatives of each other.
        gather: relate the expressions of all ranks, so that the loss does not depend on how a batch is split over them.
        bank: where gradients are accumulated, also relate an expression to those of the same update's earlier steps, as they
            were embedded then; all of an update lies nearer to the relation of one large batch so (method).

    Raises:
        ValueError: the temperature is not positive.
    """

    required_targets = frozenset({'text', 'region', 'logit_scale'})

    def __init__(self, space: JointSpace, weight: float = 1.0, temperature: float = 0.1, same_target_iou: float = 0.5,
                 gather: bool = True, bank: bool = False) -> None:
        super().__init__(space, weight)
        if temperature <= 0:
            raise ValueError(f'the temperature must be positive, got {temperature}')
        self.temperature = temperature
        self.same_target_iou = same_target_iou
        self.gathers = gather
        self._bank = EmbeddingBank() if bank else None
        self.compilable = not bank  # which asks whether the step is still the same
        self._embed = space.require('region', 'text')

    @property
    def joins_steps(self) -> bool:
        """Whether the accumulated steps of an update are related to each other."""
        return self._bank is not None

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        parts: tuple[Tensor, ...] = (self._embed('text', features, batch), self._embed('region', features, batch),
                                     targets.get('text'), targets.get('region'))
        identity, scale = batch.identity, targets.get('logit_scale')
        if self.gathers:
            parts, identity = tuple(map(gather_rows, parts)), gather_identity(identity)
        rows = len(identity.image)
        if self._bank is not None and self.training:
            parts = self._bank.join(step, *parts, identity.image, identity.boxes, identity.whole, identity.view)
            identity = TargetIdentity(image=parts[4], boxes=parts[5], whole=parts[6], view=parts[7])
        student, teacher, same = (parts[0], parts[1]), (parts[2], parts[3]), identity.same(self.same_target_iou)
        if self.training and not self.facts:
            logits = relation_logits(*teacher, scale, same)
            self.facts[f'target over {len(same)} regions, nats from uniform'] = distance_to_uniform(logits)
        if rows < len(same):
            return self.weight * accumulated_relation_loss(student, teacher, self.temperature, scale, same, rows)
        return self.weight * relation_loss(student, teacher, self.temperature, scale, same)
