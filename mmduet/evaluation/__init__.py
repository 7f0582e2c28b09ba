"""Evaluation of grounding."""
