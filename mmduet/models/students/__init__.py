"""Grounding students."""
from mmduet.models.students.transvg import TransVG

__all__ = ['TransVG']
