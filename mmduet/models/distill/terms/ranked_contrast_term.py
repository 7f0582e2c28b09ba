"""Self-distillation by a list: the predicted region ranks regions as location and semantics do."""
from typing import Any

import torch
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.terms.sampling import check_sampler, draws_regions, propose_regions, warn_of_idle
from mmduet.models.layers import PlacedRegionProjector, Projector
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.models.task_modules import SLASampler
from mmduet.models.task_modules.region_sampler import Candidates
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, from_content

# What a candidate must overlap with the target for its semantics to count, and the least that they count.
LEAST_LOCATION, LEAST_SEMANTICS = 0.3, 1e-2


@MODELS.register_module()
class RankedContrastTerm(DistillTerm):
    """Region contrast over all candidates of a sampler, with soft labels, not draws (method, the ranked form). Our choice.

    The label is p = softmax(l / ``location_temperature`` + ``semantics_weight`` log s), l the IoU of a candidate with the
    target and s its semantics, which count from l = 0.3 on; the anchor's softmax over the embeddings of the candidates is to be
    p. A sampler that reads no semantics (``LocationSampler``) makes labels by location alone.

    Args:
        space: see ``DistillTerm``; only its widths are used.
        sampler: config of the ``RegionSampler`` whose candidates are taken; ``SLASampler`` by default.
        weight, temperature: of the loss, and of the anchor's softmax.
        location_temperature, semantics_weight: of the label, > 0 and >= 0.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, space: JointSpace, sampler: dict[str, Any] | None = None, weight: float = 1.0, temperature: float = 0.1,
                 location_temperature: float = 0.1, semantics_weight: float = 0.5) -> None:
        super().__init__(space, weight)
        if min(temperature, location_temperature) <= 0 or semantics_weight < 0:
            raise ValueError('temperatures must be positive and semantics_weight must not be negative, got '
                             f'{temperature}, {location_temperature} and {semantics_weight}')
        self.temperature = temperature
        self.location_temperature = location_temperature
        self.semantics_weight = semantics_weight
        self.regions = PlacedRegionProjector(space.channels, space.embed_dims)
        self.anchor = Projector(space.channels, space.embed_dims)
        self.sampler = check_sampler(TASK_UTILS.build({'type': SLASampler, **(sampler or {})}))
        if type(self) is RankedContrastTerm:
            warn_of_idle(self.sampler, sampler or {}, type(self).__name__)
        self.required_targets = frozenset({'similarity'} if self.sampler.reads_semantics else ())

    def anchors(self, features: GroundingFeatures) -> Tensor:
        """(B, D) unit-norm embeddings of the predicted regions."""
        return self.anchor(features.query)

    @draws_regions
    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        return self._compare(features, *self.rank(features, targets, batch, step))

    def _compare(self, features: GroundingFeatures, boxes: Tensor, shares: Tensor, missing: Tensor) -> Tensor:
        logits = torch.einsum('bd,bkd->bk', self.anchors(features), self.regions(features.answer_map, boxes)) / self.temperature
        return self.weight * listwise_loss(logits.masked_fill(missing, EXCLUDED), shares)

    @draws_regions
    def rank(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch,
             step: int) -> tuple[Tensor, Tensor, Tensor]:
        """The candidates, (B, K, 4) cxcywh of the canvas, the label (B, K), and (B, K) True where there is no candidate."""
        found = propose_regions(self.sampler, targets, batch, step, features.boxes[-1].detach())
        return from_content(found.boxes, batch.expand(batch.content), batch.size), self.label(found), ~found.exists

    def label(self, found: Candidates) -> Tensor:
        """(B, K) shares of the candidates, which sum to 1; by location alone where they have no semantics."""
        label = found.location / self.location_temperature
        if found.semantics is not None:
            fit = found.semantics.clamp(min=LEAST_SEMANTICS).log() * (found.location >= LEAST_LOCATION)
            label = label + self.semantics_weight * fit
        return label.masked_fill(~found.exists, EXCLUDED).softmax(dim=1)
