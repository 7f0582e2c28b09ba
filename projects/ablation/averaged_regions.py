"""EMA regions: the regions of an averaged student as targets of the predicted region, on top of the ranked contrast.

An experiment (docs/studies.md): the averaged student is in no checkpoint, so that such a training is not resumed.
"""
from copy import deepcopy
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models import BaseGrounder
from mmduet.models.distill import DistilledGrounder, DUETHead, RankedContrastTerm
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


@MODELS.register_module()
class AveragedRegionsTerm(RankedContrastTerm):
    """The ranked contrast, and the same label for what a predictor makes of the anchor against the averaged student's regions.

    Args:
        space, options: see ``RankedContrastTerm``.
    """

    def __init__(self, space: JointSpace, **options: Any) -> None:
        super().__init__(space, **options)
        width = space.embed_dims
        self.predictor = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        # Set by the wrapper before each call: the averaged student's map, and its averaged projector.
        self.averaged: tuple[Tensor, nn.Module] | None = None

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        assert self.averaged is not None, 'the model must be an AveragedStudentGrounder'
        boxes, shares, missing = self.rank(features, targets, batch, step)
        answer_map, projector = self.averaged
        with torch.no_grad():
            goals = projector(answer_map.float(), boxes)
        anchors = self.anchors(features)
        pairs = (anchors, self.regions(features.answer_map, boxes)), (F.normalize(self.predictor(anchors), dim=1), goals)
        losses = [listwise_loss((torch.einsum('bd,bkd->bk', anchor, regions) / self.temperature).masked_fill(missing, EXCLUDED),
                                shares) for anchor, regions in pairs]
        return self.weight * torch.stack(losses).sum()


@MODELS.register_module()
class AveragedStudentGrounder(DistilledGrounder):
    """A distilled grounder whose term ``contrast`` is an ``AveragedRegionsTerm``.

    Args:
        momentum: share of the average that a step keeps, in [0, 1).
        options: see ``DistilledGrounder``.
    """

    def __init__(self, momentum: float = 0.99, **options: Any) -> None:
        super().__init__(**options)
        self.momentum = momentum
        # No submodules: neither trained nor saved.
        self.__dict__['average'] = None

    def forward(self, batch: GroundingBatch, mode: str = 'tensor') -> Any:
        """See ``DistilledGrounder.forward``."""
        if mode == 'loss':
            student, regions = self._follow()
            with torch.no_grad():
                self._term.averaged = (student.extract(batch).answer_map, regions)
        return super().forward(batch, mode)

    @property
    def _term(self) -> AveragedRegionsTerm:
        return cast(AveragedRegionsTerm, cast(DUETHead, self.head).terms['contrast'])

    @torch.no_grad()
    def _follow(self) -> tuple[BaseGrounder, nn.Module]:
        """Move the average by a step; at the first it is the student."""
        own: tuple[nn.Module, nn.Module] = (self.student, self._term.regions)
        if self.__dict__['average'] is None:
            self.__dict__['average'] = tuple(deepcopy(module).requires_grad_(False).eval() for module in own)
        average: tuple[BaseGrounder, nn.Module] = self.__dict__['average']
        for slow, fast in zip(nn.ModuleList(average).parameters(), nn.ModuleList(own).parameters(), strict=True):
            slow.lerp_(fast, 1 - self.momentum)
        return average
