"""A ranked contrast that fades: strong while the student learns where to look, gone when it has learned."""
from typing import Any

from torch import Tensor

from mmduet.models.distill import RankedContrastTerm
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, TeacherTargets


@MODELS.register_module()
class FadingContrastTerm(RankedContrastTerm):
    """The ranked contrast, whose weight falls linearly to 0.

    Args:
        last_update: updates of the optimizer after which nothing is left of it, > 0.
        settings: see ``RankedContrastTerm``.
    """

    def __init__(self, *args: Any, last_update: int, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if last_update <= 0:
            raise ValueError(f'last_update must be positive, got {last_update}')
        self.last_update = last_update
        self.compilable = False  # it reads the step

    def forward(self, features: GroundingFeatures, targets: TeacherTargets, batch: GroundingBatch, step: int) -> Tensor:
        """See ``DistillTerm.forward``."""
        loss: Tensor = super().forward(features, targets, batch, step)
        return max(0.0, 1 - step / self.last_update) * loss
