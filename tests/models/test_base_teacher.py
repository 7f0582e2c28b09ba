import pytest
import torch
from torch import nn

from mmduet.models.base_teacher import BaseTeacher
from mmduet.structures import TeacherTargets


class OwnTeacher(BaseTeacher):
    embed_dims = 4
    gives = frozenset({'text'})

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, batch, required):
        return TeacherTargets(text=self.drop(torch.ones(2, 4)))


def test_a_teacher_stays_in_eval_mode_with_all_its_parts():
    teacher = OwnTeacher()
    assert teacher.train() is teacher
    nn.Sequential(teacher).train()
    assert not teacher.training and not teacher.drop.training
    assert teacher(None, {'text'}).text.tolist() == [[1.0] * 4] * 2


def test_a_teacher_without_a_forward_is_none():
    with pytest.raises(TypeError, match='forward'):
        BaseTeacher()
