"""Grounding data."""
