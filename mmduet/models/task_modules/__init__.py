"""Samplers of regions."""
from mmduet.models.task_modules.candidate_boxes import CandidateBoxes
from mmduet.models.task_modules.region_sampler import RegionSampler
from mmduet.models.task_modules.sla_sampler import (
    DistractorSampler,
    LocationSampler,
    RandomSampler,
    SemanticsSampler,
    SLASampler,
)

__all__ = ['CandidateBoxes', 'DistractorSampler', 'LocationSampler', 'RandomSampler', 'RegionSampler', 'SLASampler',
           'SemanticsSampler']
