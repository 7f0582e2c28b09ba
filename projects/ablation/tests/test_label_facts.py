import pytest
import torch

from mmduet.models.distill import RankedContrastTerm
from mmduet.models.task_modules.region_sampler import Candidates
from projects.ablation.label_facts import LabelFacts, correlate
from tests.distill_batch import make_space


def make_candidates(semantics):
    """The target, a near miss, a box beside it, and one that does not exist."""
    boxes = torch.tensor([[[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.4, 0.3], [0.1, 0.1, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0]]])
    return Candidates(boxes=boxes, exists=torch.tensor([[True, True, True, False]]),
                      negative=torch.zeros(1, 4, dtype=torch.bool), location=torch.tensor([[1.0, 0.75, 0.0, 0.0]]),
                      annotated=torch.zeros(4, dtype=torch.bool),
                      semantics=None if semantics is None else torch.tensor([semantics]))


def count(semantics):
    facts = LabelFacts()
    facts.add(RankedContrastTerm(make_space(), location_temperature=0.25, semantics_weight=1.0), make_candidates(semantics))
    return facts


def test_semantics_that_are_alike_move_nothing():
    facts = count([0.5, 0.5, 0.9, 0.9])
    assert facts.moved == pytest.approx(0.00, abs=0.02)  # what lies beside keeps its share of the whole
    assert facts.correlation == 0
    assert facts.expressions == 1


def test_what_semantics_move_by_hand():
    facts = count([1.0, 0.5, 1.0, 1.0])
    # In units of exp(4): by location 1, 1 / e and exp(-4); with semantics 1, 0.5 / e and exp(-4).
    plain = torch.tensor([1, torch.e**-1, torch.e**-4])
    moved = torch.tensor([1, 0.5 * torch.e**-1, torch.e**-4])
    plain, moved = plain / plain.sum(), moved / moved.sum()
    assert facts.moved == pytest.approx((plain - moved).abs().sum().item() / 2, abs=1e-6)
    assert facts.iou_by_location == pytest.approx((plain[0] + 0.75 * plain[1]).item(), abs=1e-6)
    assert facts.iou == pytest.approx((moved[0] + 0.75 * moved[1]).item(), abs=1e-6)
    assert facts.correlation == pytest.approx(1)
    assert f'semantics move {100 * facts.moved:.1f} % of a label, whose mean IoU is {facts.iou:.3f}' in facts.describe()


def test_labels_without_semantics_are_refused():
    with pytest.raises(ValueError, match='take a sampler that reads semantics'):
        count(None)


def test_a_correlation_is_that_of_what_counts():
    first, second = torch.tensor([[1.0, 2.0, 3.0, 9.0]]), torch.tensor([[6.0, 4.0, 2.0, 9.0]])
    assert correlate(first, second, torch.tensor([[True, True, True, False]])).item() == pytest.approx(-1)
    assert correlate(first, torch.ones(1, 4), torch.ones(1, 4, dtype=torch.bool)).item() == 0
    assert correlate(first, second, torch.zeros(1, 4, dtype=torch.bool)).item() == 0
