"""Samplers of regions."""
from mmduet.models.task_modules.candidate_boxes import CandidateBoxes
from mmduet.models.task_modules.region_sampler import Candidates, RegionSampler, lies_beside
from mmduet.models.task_modules.sla_sampler import (
    DistractorSampler,
    LocationSampler,
    RandomSampler,
    SemanticsSampler,
    SLASampler,
)

__all__ = ['CandidateBoxes', 'Candidates', 'DistractorSampler', 'LocationSampler', 'RandomSampler', 'RegionSampler',
           'SLASampler', 'SemanticsSampler', 'lies_beside']
