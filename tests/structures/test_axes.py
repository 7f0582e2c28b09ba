from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mmduet.structures.axes import check_axes


@dataclass
class Pair:
    first: Tensor | None = None
    second: Tensor | None = None


AXES = {'first': ('B', 'C'), 'second': ('B', 4)}


def test_tensors_that_agree_and_fields_that_are_none_pass():
    check_axes(Pair(torch.zeros(2, 3), torch.zeros(2, 4)), AXES)
    check_axes(Pair(None, torch.zeros(7, 4)), AXES)


@pytest.mark.parametrize(('pair', 'sentence'), [
    (Pair(torch.zeros(2)), r'Pair\.first must be \(B, C\), got \(2,\)'),
    (Pair(torch.zeros(2, 3), torch.zeros(2, 5)), r'Pair\.second must be \(B, 4\), got \(2, 5\)'),
    (Pair(torch.zeros(2, 3), torch.zeros(1, 4)), r'Pair\.second must be \(B, 4\) with B = 2 as in first, got \(1, 4\)')])
def test_field_and_axis_are_named(pair, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_axes(pair, AXES)


def test_an_axis_of_one_is_written_as_a_tuple():
    with pytest.raises(ValueError, match=r'first must be \(B,\), got \(2, 3\)'):
        check_axes(Pair(torch.zeros(2, 3)), {'first': ('B', )})


def test_a_mask_must_be_bool():
    with pytest.raises(ValueError, match=r'Pair\.first must be bool, got torch\.float32'):
        check_axes(Pair(torch.zeros(2, 3)), AXES, booleans=('first', 'second'))
