"""Transforms of photo, expression and box."""
