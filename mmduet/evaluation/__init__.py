"""Evaluation of grounding."""
from mmduet.evaluation.grounding_metric import GroundingMetric
from mmduet.evaluation.rules import EvaluationRule, OriginalPixelsRule, TransVGRule, VLTVGRule

__all__ = ['EvaluationRule', 'GroundingMetric', 'OriginalPixelsRule', 'TransVGRule', 'VLTVGRule']
