"""Frozen teachers."""
from mmduet.models.teachers.cached_teacher import CachedTeacher
from mmduet.models.teachers.clip_teacher import CLIPTeacher
from mmduet.models.teachers.control_teachers import ShuffledTeacher, UntrainedTeacher

__all__ = ['CLIPTeacher', 'CachedTeacher', 'ShuffledTeacher', 'UntrainedTeacher']
