import pytest
import torch

from mmduet.structures import Regions
from projects.ablation.region_facts import RegionFacts

TARGET = [0.25, 0.25, 0.2, 0.2]
OTHER = [0.75, 0.75, 0.2, 0.2]
FAR = [0.25, 0.75, 0.1, 0.1]
NONE = [0.0, 0.0, 0.0, 0.0]


def similarity(boxes):
    """What lies right is similar to the expression."""
    return boxes[..., 0]


def test_what_was_drawn_is_counted_by_kind():
    regions = Regions(positives=torch.tensor([[TARGET, OTHER]]), positive_weight=torch.tensor([[1.0, 0.0]]),
                      negatives=torch.tensor([[OTHER, OTHER, FAR, OTHER]]),
                      negative_valid=torch.tensor([[True, True, True, False]]))
    facts = RegionFacts()
    for _ in range(2):
        facts.add(regions, torch.tensor([TARGET]), torch.tensor([[OTHER, FAR, [0.5, 0.5, 0.1, 0.1], NONE]]), similarity)
    means = facts.means()
    assert (means['positives'], means['negatives'], means['objects'], facts.images) == (1.0, 3.0, 3.0, 2)
    assert means['positive_iou'] == pytest.approx(1.0) and means['negative_iou'] == pytest.approx(0.0)
    assert means['on_objects'] == pytest.approx(1.0) and means['objects_drawn'] == pytest.approx(2 / 3)
    assert means['positive_similarity'] == pytest.approx(0.25)
    assert means['negative_similarity'] == pytest.approx((0.75 + 0.75 + 0.25) / 3)
    assert means['above_target'] == pytest.approx(2 / 3)


def test_images_without_other_objects_and_draws_without_negatives_are_no_division_by_zero():
    regions = Regions(positives=torch.tensor([[TARGET]]), positive_weight=torch.tensor([[1.0]]),
                      negatives=torch.tensor([[FAR]]), negative_valid=torch.tensor([[False]]))
    facts = RegionFacts()
    facts.add(regions, torch.tensor([TARGET]), torch.zeros(1, 0, 4), similarity)
    assert facts.means()['objects_drawn'] == facts.means()['negative_iou'] == 0
