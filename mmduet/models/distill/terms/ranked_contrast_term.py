"""Self-distillation by a list: regions are ranked by the predicted one as location and semantics rank them."""
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.projector import Projector
from mmduet.models.distill.terms.sampling import what_to_sample
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.models.task_modules import RegionSampler, SLASampler
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets, from_content, pool_regions

Config = dict[str, Any]
GRID = 3
LEAST_SEMANTICS = 1e-2


class PlacedRegionProjector(nn.Module):
    """Embed boxes by what the map that the answer reads shows in each of 3 x 3 parts of them, and by where they lie."""

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.parts = nn.Linear(GRID**2 * channels, channels)
        self.place = nn.Linear(4, channels)
        self.projector = Projector(channels, embed_dims)

    def forward(self, features: GroundingFeatures, boxes: Tensor) -> Tensor:
        """(B, K, D) embeddings of unit norm of (B, K, 4) cxcywh boxes in [0, 1] of the canvas."""
        step = (torch.arange(GRID, device=boxes.device, dtype=boxes.dtype) + 0.5) / GRID - 0.5
        offsets = torch.stack(torch.meshgrid(step, step, indexing='xy'), dim=-1).reshape(-1, 2)
        centres = boxes[:, :, None, :2] + offsets * boxes[:, :, None, 2:]
        parts = torch.cat([centres, (boxes[:, :, None, 2:] / GRID).expand_as(centres)], dim=-1)
        pooled = pool_regions(features.answer_map, parts.flatten(1, 2)).unflatten(1, (*boxes.shape[1:2], -1)).flatten(2)
        embedded: Tensor = self.projector(self.parts(pooled) + self.place(boxes))
        return embedded


@MODELS.register_module()
class RankedContrastTerm(DistillTerm):
    """Region contrast over all candidates of a sampler, with soft labels instead of draws (method, ranked form). Our choice.

    p = softmax(l / ``location_temperature`` + ``semantics_weight`` log s where l >= 0.3) over the candidates, l their IoU with
    the target and s their semantics; the anchor's softmax over their embeddings is to be p.

    Args:
        space: see ``DistillTerm``; only its widths are used.
        sampler: config of the ``RegionSampler`` whose candidates are taken; ``SLASampler`` by default.
        weight, temperature: of the loss, and of the anchor's softmax.
        location_temperature: > 0.
        semantics_weight: 0 for labels by location alone, which requires nothing of the teacher.
    """

    def __init__(self, space: JointSpace, sampler: Config | None = None, weight: float = 0.5, temperature: float = 0.1,
                 location_temperature: float = 0.1, semantics_weight: float = 0.0) -> None:
        super().__init__(space, weight)
        if min(temperature, location_temperature) <= 0 or semantics_weight < 0:
            raise ValueError('temperatures must be positive and semantics_weight must not be negative, got '
                             f'{temperature}, {location_temperature} and {semantics_weight}')
        self.temperature = temperature
        self.location_temperature = location_temperature
        self.semantics_weight = semantics_weight
        self.projector = PlacedRegionProjector(space.channels, space.embed_dims)
        self.anchor = Projector(space.channels, space.embed_dims)
        self.sampler: RegionSampler = TASK_UTILS.build({'type': SLASampler, **(sampler or {})})
        self.required_targets = frozenset({'similarity'} if self.sampler.reads_semantics else ())

    def anchors(self, features: GroundingFeatures) -> Tensor:
        """(B, D) unit-norm embeddings of the predicted regions."""
        return self.anchor(features.query)

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        found, _ = self.sampler.propose(**what_to_sample(self.sampler, targets, batch, step, features.boxes[-1].detach()))
        label = found.location / self.location_temperature
        if found.semantics is not None:
            label = label + self.semantics_weight * found.semantics.clamp(min=LEAST_SEMANTICS).log() * (found.location >= 0.3)
        shares = label.masked_fill(~found.exists, EXCLUDED).softmax(dim=1)
        boxes = from_content(found.boxes, batch.expand(batch.content), batch.size)
        logits = torch.einsum('bd,bkd->bk', self.anchors(features), self.projector(features, boxes)) / self.temperature
        return self.weight * listwise_loss(logits.masked_fill(~found.exists, EXCLUDED), shares)
