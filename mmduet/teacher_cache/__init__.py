"""A teacher's targets on disk: how they are stored, planned and written, and the teacher that gives them again."""
from mmduet.teacher_cache.cached_teacher import CachedTeacher

__all__ = ['CachedTeacher']
