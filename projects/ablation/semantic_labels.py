"""Contrasts in whose labels, or among whose negatives, the teacher's semantics weigh otherwise than in the package's."""
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmduet.models.distill import DenseContrastTerm, RankedContrastTerm
from mmduet.models.distill.terms.ranked_contrast_term import LEAST_LOCATION
from mmduet.models.distill.terms.sampling import draws_regions, pool_similarity, propose_regions
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.models.task_modules.region_sampler import Candidates
from mmduet.models.task_modules.sla_sampler import up_to_target
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, from_content, to_content
from mmduet.structures.regions import token_boxes


@MODELS.register_module()
class ProductContrastTerm(RankedContrastTerm):
    """Label p = softmax(l * s / ``location_temperature``), s the semantics in units of the target's, at most 1."""

    def label(self, found: Candidates) -> Tensor:
        """See ``RankedContrastTerm.label``."""
        if found.semantics is None:
            return super().label(found)
        fit = (found.semantics / found.semantics[:, :1].clamp(min=1e-2)).clamp(max=1)
        label = found.location * fit / self.location_temperature
        return label.masked_fill(~found.exists, EXCLUDED).softmax(dim=1)


@MODELS.register_module()
class HardContrastTerm(RankedContrastTerm):
    """Labels by location alone; a negative counts 1 + ``hardness`` s times, so what fits the expression is told apart first.

    The semantics of what fits better than the target count 0. The uninformed counterpart has the mean of them for all.
    """

    def __init__(self, *args: Any, hardness: float = 9.0, informed: bool = True, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.hardness = hardness
        self.informed = informed

    @draws_regions
    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        found = propose_regions(self.sampler, targets, batch, step, features.boxes[-1].detach())
        boxes = from_content(found.boxes, batch.expand(batch.content), batch.size)
        nearness = torch.einsum('bd,bkd->bk', self.anchors(features), self.regions(features.answer_map, boxes))
        logits = (nearness / self.temperature + self.hardnesses(found).log()).masked_fill(~found.exists, EXCLUDED)
        return self.weight * listwise_loss(logits, self.label(replace(found, semantics=None)))

    def hardnesses(self, found: Candidates) -> Tensor:
        """(B, K) how often a candidate counts."""
        if found.semantics is None:
            raise ValueError('HardContrastTerm weighs by semantics: take a sampler that reads them')
        elsewhere = found.exists & (found.location < LEAST_LOCATION)
        fit = up_to_target(found.semantics) * elsewhere
        if not self.informed:
            fit = elsewhere * fit.sum(dim=1, keepdim=True) / elsewhere.sum(dim=1, keepdim=True).clamp(min=1)
        return 1 + self.hardness * fit


@MODELS.register_module()
class EvenDenseContrastTerm(DenseContrastTerm):
    """The uninformed counterpart of the dense contrast: every negative has the mean weight of its image, whatever it shows."""

    def emphasis(self, semantics: Tensor, outside: Tensor) -> Tensor:
        """See ``DenseContrastTerm.emphasis``."""
        weights = super().emphasis(semantics, outside)
        return outside * weights.sum(dim=1, keepdim=True) / outside.sum(dim=1, keepdim=True).clamp(min=1)


@MODELS.register_module()
class SoftmaxDenseContrastTerm(DenseContrastTerm):
    """A dense contrast whose negatives count by the teacher's own softmax over them, in units of its mean.

    The teacher's logit scale sharpens it, and what fits better than the target counts most. The uninformed counterpart counts
    all alike, as much in the mean.
    """

    def __init__(self, *args: Any, informed: bool = True, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.informed = informed
        self.required_targets = frozenset({'similarity', 'logit_scale'} if informed else ())

    def weights(self, targets: TeacherTargets, batch: GroundingBatch, outside: Tensor, size: torch.Size) -> Tensor:
        """See ``DenseContrastTerm.weights``."""
        if not self.informed:
            return 1 + self.semantics_weight * outside
        tokens = token_boxes(size, batch.target_boxes).expand(len(batch), -1, -1)
        similarity = pool_similarity(targets.get('similarity'), to_content(tokens, batch.expand(batch.content), batch.size))
        logits = (2 * similarity - 1) * targets.get('logit_scale')
        shares = logits.masked_fill(~outside, EXCLUDED).softmax(dim=1)
        return 1 + self.semantics_weight * shares * outside.sum(dim=1, keepdim=True) * outside
