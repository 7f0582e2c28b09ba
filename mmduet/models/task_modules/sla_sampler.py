"""Semantics-Location Aware sampling, and what it is compared with.

The paper names the sampler; its formula here is ours.
"""
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from mmduet.models.task_modules.region_sampler import RegionSampler
from mmduet.registry import TASK_UTILS

# Gumbel noise from 24-bit uniforms, cut at 1e-6, lies within (-3, 14).
AHEAD = 20.0


def up_to_target(semantics: Tensor) -> Tensor:
    """(B, K) semantics, 0 where they exceed those of the target, the first candidate."""
    return semantics * (semantics <= semantics[:, :1])


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class SLASampler(RegionSampler):
    """Semantics-Location Aware: positives by location times semantics, negatives by semantics with a share of location.

    Negatives are thus regions that fit the expression but lie elsewhere, and near misses; docs/studies.md has results. What
    fits better than the target itself is not drawn by its semantics: there the teacher is wrong, or the object is the target's.

    Attributes:
        location_share: how much the IoU of a negative counts beside its semantics.

    >>> import torch
    >>> from mmduet.models.task_modules import SLASampler
    >>> target, content = torch.tensor([[0.3, 0.5, 0.2, 0.3]]), torch.tensor([[0, 0, 64, 64]])
    >>> fits_left = lambda candidates: 1 - candidates[..., 0].clamp(0, 1)
    >>> regions = SLASampler(positives=2, negatives=4).sample(target, content, size=64, step=0, keys=['a'],
    ...                                                           semantics=fits_left)
    >>> tuple(regions.positives.shape), tuple(regions.negatives.shape)
    ((1, 2, 4), (1, 4, 4))
    """

    location_share: float = 0.3
    reads_semantics: ClassVar[bool] = True

    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """l * s and s + ``location_share`` * l, where s of a negative that exceeds the target's counts 0."""
        if semantics is None:
            raise ValueError('SLASampler draws by semantics and was given none')
        return location * semantics, up_to_target(semantics) + self.location_share * location


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class RandomSampler(RegionSampler):
    """Uniform within the classes."""

    reads_semantics: ClassVar[bool] = False

    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """1 for every candidate."""
        return torch.ones_like(location), torch.ones_like(location)


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class LocationSampler(RegionSampler):
    """By overlap with the target alone."""

    reads_semantics: ClassVar[bool] = False

    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """The IoU for both."""
        return location, location


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class SemanticsSampler(RegionSampler):
    """By likeness to the expression alone."""

    reads_semantics: ClassVar[bool] = True

    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """The semantics for both."""
        if semantics is None:
            raise ValueError('SemanticsSampler draws by semantics and was given none')
        return semantics, up_to_target(semantics)


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class DistractorSampler(RegionSampler):
    """The other annotated objects first, as negatives; all else uniform.

    An upper bound for samplers that find them by a teacher, where every object is annotated. Our choice.
    """

    reads_semantics: ClassVar[bool] = False

    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """1 for every candidate, and for an annotated one as a negative more than any draw of the others reaches."""
        return torch.ones_like(location), 1 + AHEAD * self.temperature * annotated.to(location.dtype).expand_as(location)
