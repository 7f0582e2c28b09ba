"""Self-distillation: the predicted region comes close to good regions of the student's own map."""
from typing import Any

import torch
from torch import Tensor

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.terms.anchors import Anchor, QueryAnchor, RegionProjector
from mmduet.models.distill.terms.sampling import check_sampler, draws_regions, sample_regions
from mmduet.models.losses import RegionContrastiveLoss
from mmduet.models.task_modules import SLASampler
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import GroundingBatch, GroundingFeatures, Regions, TeacherTargets

Config = dict[str, Any]


@MODELS.register_module()
class RegionContrastTerm(DistillTerm):
    """Region-contrastive self-distillation on the map that the box is predicted from (method).

    Args:
        space: see ``DistillTerm``; only its widths are used.
        sampler: config of a ``RegionSampler``; ``SLASampler`` by default.
        anchor: config of an ``Anchor`` without its widths; ``QueryAnchor`` by default.
        weight, temperature: of the loss, and of its softmax.
        gather: negatives of all other images, those on other ranks included, are negatives too.
    """

    def __init__(self, space: JointSpace, sampler: Config | None = None, anchor: Config | None = None, weight: float = 1.0,
                 temperature: float = 0.1, gather: bool = False) -> None:
        super().__init__(space, weight)
        widths = {'channels': space.channels, 'embed_dims': space.embed_dims}
        self.loss = RegionContrastiveLoss(weight, temperature, gather)
        self.gathers = gather
        self.projector = RegionProjector(**widths)
        self.anchor: Anchor = MODELS.build({'type': QueryAnchor, **(anchor or {}), **widths})
        self.sampler = check_sampler(TASK_UTILS.build({'type': SLASampler, **(sampler or {})}))
        self.required_targets = frozenset({'similarity'} if self.sampler.reads_semantics else ())

    def anchors(self, features: GroundingFeatures) -> Tensor:
        """(B, D) unit-norm embeddings of the predicted regions."""
        return self.anchor(features, self.projector)

    @draws_regions
    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        regions = sample_regions(self.sampler, targets, batch, step, features.boxes[-1].detach())
        return self._contrast(features, regions, batch.identity.image)

    def _contrast(self, features: GroundingFeatures, regions: Regions, image: Tensor) -> Tensor:
        embedded = self.projector.embed(features, torch.cat([regions.positives, regions.negatives], dim=1))
        positives, negatives = embedded.split([regions.positives.shape[1], regions.negatives.shape[1]], dim=1)
        return self.loss(self.anchors(features), positives, negatives, regions, image)
