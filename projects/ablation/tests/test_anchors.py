import pytest
import torch
from torch.utils.data import DataLoader

from projects.ablation.anchors import mean_anchor_cosine, mean_cosine


def test_the_mean_cosine_of_pairs_by_hand():
    assert mean_cosine(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])) == pytest.approx(1 / 3)
    assert mean_cosine(torch.tensor([[0.6, 0.8]] * 4)) == pytest.approx(1)


def test_a_model_without_a_contrast_has_none():
    assert mean_anchor_cosine(torch.nn.Linear(1, 1), DataLoader([])) is None
