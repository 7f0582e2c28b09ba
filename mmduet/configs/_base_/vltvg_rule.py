"""VLTVG's evaluation: original pixels and untouched targets as everywhere here, but an IoU of exactly 0.5 is a miss."""
from mmduet.evaluation import GroundingMetric
from mmduet.evaluation.rules import VLTVGRule

val_evaluator = dict(type=GroundingMetric, rule=dict(type=VLTVGRule))
test_evaluator = dict(type=GroundingMetric, rule=dict(type=VLTVGRule))
