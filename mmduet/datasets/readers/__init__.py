"""Readers of official layouts."""
