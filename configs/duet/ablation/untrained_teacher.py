"""Control: full DUET from a teacher with random weights."""
from mmengine.config import read_base

from mmduet.models.teachers import UntrainedTeacher

with read_base():
    from ._base_.distilled import *

model['teacher'] = dict(type=UntrainedTeacher, teacher=model['teacher'])
