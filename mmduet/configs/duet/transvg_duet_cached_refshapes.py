"""The tiny TransVG distilled by DUET from cached targets of the tiny CLIP, RefShapes: first mmduet cache-teacher."""
from mmengine.config import read_base

from mmduet.teacher_cache import CachedTeacher

with read_base():
    from .transvg_duet_refshapes import *

model['teacher'] = dict(type=CachedTeacher, cache='data/teacher_cache/clip_tiny_refshapes', teacher=model['teacher'])
