"""Transforms of image, expression and box; each draws from ``results['rng']`` only."""
from mmduet.datasets.transforms.shared_view import expressions_of

__all__ = ['expressions_of']
