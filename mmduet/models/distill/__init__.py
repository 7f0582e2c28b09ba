"""Distillation: the wrapper, its head, and the terms of the head."""
from mmduet.models.distill.base_head import DistillHead
from mmduet.models.distill.distill_term import DistillTerm
from mmduet.models.distill.distilled_grounder import DistilledGrounder, student_of
from mmduet.models.distill.duet_head import DUETHead
from mmduet.models.distill.joint_space import JointSpace
from mmduet.models.distill.terms import (
    DenseContrastTerm,
    FeatureTerm,
    QueryAnchor,
    RankedContrastTerm,
    RegionAnchor,
    RegionContrastTerm,
    RegionProjector,
    RelationTerm,
)
from mmduet.models.layers.projector import Projector

__all__ = ['DUETHead', 'DenseContrastTerm', 'DistillHead', 'DistillTerm', 'DistilledGrounder', 'FeatureTerm', 'JointSpace',
           'Projector', 'QueryAnchor', 'RankedContrastTerm', 'RegionAnchor', 'RegionContrastTerm', 'RegionProjector',
           'RelationTerm', 'student_of']
