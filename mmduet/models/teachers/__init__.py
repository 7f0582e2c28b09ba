"""Frozen teachers."""
from mmduet.models.teachers.clip_teacher import CLIPTeacher

__all__ = ['CLIPTeacher']
