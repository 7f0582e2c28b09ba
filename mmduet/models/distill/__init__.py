"""Distillation: the wrapper and its heads."""
from mmduet.models.distill.anchors import DifferentiableRegionAnchor, QueryAnchor, RegionAnchor
from mmduet.models.distill.distilled_grounder import DistilledGrounder
from mmduet.models.distill.duet_head import DUETHead
from mmduet.models.distill.projector import LocatedRegionProjector, RegionProjector

__all__ = ['DUETHead', 'DifferentiableRegionAnchor', 'DistilledGrounder', 'LocatedRegionProjector', 'QueryAnchor',
           'RegionAnchor', 'RegionProjector']
