"""TransVG-R50 distilled by DUET from what CLIP ViT-B/16 said once, RefCOCO (unc split): first tools/cache_teacher.py."""
from mmengine.config import read_base

from mmduet.teacher_cache import CachedTeacher

with read_base():
    from .transvg_duet_refcoco import *

model['teacher'] = dict(type=CachedTeacher, cache='data/teacher_cache/clip_vit_b16', teacher=model['teacher'])
