"""Grounding students."""
