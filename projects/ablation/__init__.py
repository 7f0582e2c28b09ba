"""Experiments of many runs: one training each, their records, and what they show together."""
