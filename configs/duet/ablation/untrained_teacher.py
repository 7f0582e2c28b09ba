"""Control: full DUET from a teacher with random weights."""
from mmengine.config import read_base

from mmduet.models.teachers import UntrainedTeacher

with read_base():
    from ._base_.distilled import *

# Without the cache, if there is one: that holds what the trained teacher said.
model['teacher'] = dict(type=UntrainedTeacher, teacher=model['teacher'].get('teacher', model['teacher']))
