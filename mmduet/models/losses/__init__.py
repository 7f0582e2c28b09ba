"""Losses: pure functions with a thin module around."""
from mmduet.models.losses.box_loss import BoxLoss

__all__ = ['BoxLoss']
