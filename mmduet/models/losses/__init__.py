"""Losses: pure functions with a thin module around."""
