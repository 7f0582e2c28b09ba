"""Blocks that students share."""
