"""What a teacher said, on disk: how it is stored, planned and written, and the teacher that reads it back."""
from mmduet.teacher_cache.cached_teacher import CachedTeacher

__all__ = ['CachedTeacher']
