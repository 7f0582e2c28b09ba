"""TransVG-R50 distilled by DUET from cached targets of CLIP ViT-B/16, RefCOCO (unc split): first mmduet cache-teacher."""
from mmengine.config import read_base

from mmduet.teacher_cache import CachedTeacher

with read_base():
    from .transvg_duet_refcoco import *

model['teacher'] = dict(type=CachedTeacher, cache='data/teacher_cache/clip_vit_b16', teacher=model['teacher'])
