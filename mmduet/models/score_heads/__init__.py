"""Heads that say how likely a student's answer is right."""
from mmduet.models.score_heads.agreement_score_head import AgreementScoreHead, with_score_head
from mmduet.models.score_heads.base_score_head import ScoreHead
from mmduet.models.score_heads.iou_score_head import IoUScoreHead

__all__ = ['AgreementScoreHead', 'IoUScoreHead', 'ScoreHead', 'with_score_head']
