"""Frozen teachers."""
from mmduet.models.teachers.clip_teacher import CLIPTeacher
from mmduet.models.teachers.region_views import BlurredView, CropView, DimmedView, MarkedView, PatchView

__all__ = ['BlurredView', 'CLIPTeacher', 'CropView', 'DimmedView', 'MarkedView', 'PatchView']
