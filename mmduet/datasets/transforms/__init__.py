"""Transforms of image, expression and box; each draws from ``results['rng']`` only."""
