import pytest
import torch

from mmduet.models.distill import DistillTerm
from tests.distill_batch import make_space


class OwnTerm(DistillTerm):
    def forward(self, features, targets, batch, step):
        return self.weight * torch.ones(())


def test_a_term_requires_nothing_unless_it_says_so_and_owns_no_part_of_the_space():
    term = OwnTerm(make_space(), weight=0.5)
    assert term.required_targets == frozenset() and term(None, None, None, 0) == 0.5
    assert list(term.children()) == []


@pytest.mark.parametrize('weight', [0, -0.5])
def test_a_term_without_weight_is_left_out_by_none(weight):
    with pytest.raises(ValueError, match=rf'OwnTerm: the weight must be positive, got {weight}; to leave .* set it to None'):
        OwnTerm(make_space(), weight)
