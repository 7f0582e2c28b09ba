"""Frozen teachers."""
from mmduet.models.teachers.clip_teacher import CLIPTeacher
from mmduet.models.teachers.control_teachers import ShuffledTeacher, UntrainedTeacher

__all__ = ['CLIPTeacher', 'ShuffledTeacher', 'UntrainedTeacher']
