"""Control: full DUET, but the teacher's targets are those of another sample."""
from mmengine.config import read_base

from mmduet.models.teachers import ShuffledTeacher

with read_base():
    from ._base_.distilled import *

model['teacher'] = dict(type=ShuffledTeacher, teacher=model['teacher'])
