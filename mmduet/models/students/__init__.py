"""Grounding students."""
from mmduet.models.students.transvg import TransVG
from mmduet.models.students.visual_pretrainer import VisualPretrainer

__all__ = ['TransVG', 'VisualPretrainer']
