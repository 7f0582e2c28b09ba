import pytest
import torch

from projects.ablation.weight_facts import WeightFacts


def test_weights_by_hand():
    facts = WeightFacts()
    # The first token is the target's; the second and the third lie on another object, the last two on the ground.
    facts.add(torch.tensor([[9.0, 2.0, 1.0, 1.0, 1.5]]), torch.tensor([[False, True, True, True, True]]),
              torch.tensor([[True, True, True, False, False]]))
    assert facts.expressions == 1
    assert facts.on_objects == pytest.approx(1.5)
    assert facts.elsewhere == pytest.approx(1.25)
    assert facts.objects_share == pytest.approx(3 / 5.5)
    assert facts.objects_share_evenly == 0.5
    assert facts.auroc == pytest.approx((2 + 0.5) / 4)
    assert facts.spread == pytest.approx(torch.tensor([2.0, 1.0, 1.0, 1.5]).log().std(correction=0).item())
    assert facts.describe().startswith('1 expressions with other objects: a token on another object counts 1.50 times, '
                                       'one on the ground 1.25 times (AUROC 0.62)')
    assert '54.5 % of the weight lies on other objects, 50.0 % if all counted alike' in facts.describe()


def test_an_expression_without_another_object_or_without_ground_counts_nothing():
    facts = WeightFacts()
    everywhere = torch.ones(2, 3, dtype=torch.bool)
    facts.add(torch.ones(2, 3), everywhere, torch.stack([everywhere[0], ~everywhere[0]]))
    assert facts.expressions == 0
    assert facts.describe() == 'no expression has another annotated object in its image'
