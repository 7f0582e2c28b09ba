"""Distillation terms, a file each."""
from mmduet.models.distill.terms.anchors import Anchor, QueryAnchor, RegionAnchor, RegionProjector
from mmduet.models.distill.terms.dense_contrast_term import DenseContrastTerm
from mmduet.models.distill.terms.feature_term import FeatureTerm
from mmduet.models.distill.terms.ranked_contrast_term import RankedContrastTerm
from mmduet.models.distill.terms.region_contrast_term import RegionContrastTerm
from mmduet.models.distill.terms.relation_term import RelationTerm

__all__ = ['Anchor', 'DenseContrastTerm', 'FeatureTerm', 'QueryAnchor', 'RankedContrastTerm', 'RegionAnchor',
           'RegionContrastTerm', 'RegionProjector', 'RelationTerm']
