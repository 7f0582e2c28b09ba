"""Losses: pure functions with a thin module around."""
from mmduet.models.losses.box_loss import BoxLoss, StagedBoxLoss
from mmduet.models.losses.region_contrastive_loss import RegionContrastiveLoss

__all__ = ['BoxLoss', 'RegionContrastiveLoss', 'StagedBoxLoss']
