import pytest
import torch
from torch import nn

from mmduet.models.distill.balance import BOX, HEAD, format_balance, measure_balance


class Student(nn.Module):
    """A box loss of 3 |a w|, where w is [1, 2]; a frozen part, and one that no loss reaches."""

    def __init__(self):
        super().__init__()
        self.seen, self.unused = nn.Linear(2, 1, bias=False), nn.Linear(1, 1)
        self.frozen = nn.Linear(1, 1).requires_grad_(False)
        self.seen.weight.data.copy_(torch.tensor([[1.0, 2.0]]))

    def extract(self, batch):
        return self.seen(batch)

    def loss(self, features, batch):
        return {'loss_box': 2 * features.sum(), 'loss_giou': features.sum()}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.student, self.head = Student(), Head()
        self.data_preprocessor = lambda data, training: {'batch': data}

    def teach(self, batch):
        return 10.0


class Head(nn.Module):
    def forward(self, features, targets, batch):
        assert not self.training
        return {'loss_text': targets * features.sum(), 'loss_region': features.sum() * 0.5}


def measure():
    return measure_balance(Model(), iter([torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0]])]), 2)


def test_losses_and_gradients_are_means_over_the_batches():
    found = measure()
    mean = ((3 + 8) + 2) / 2
    assert found['losses'] == pytest.approx({BOX: 3 * mean, 'loss_text': 10 * mean, 'loss_region': mean / 2, HEAD: 10.5 * mean})
    assert found['ratio'] == pytest.approx(3.5)
    # The gradient of a term is its factor times the input, of length 5 and 1.
    assert found['gradients'][BOX] == pytest.approx({'seen': 3 * (5 + 1) / 2, 'unused': 0})
    assert found['gradients'][HEAD] == pytest.approx({'seen': 10.5 * 3, 'unused': 0})


def test_the_table_names_parts_losses_and_the_ratio():
    lines = format_balance(measure()).splitlines()
    assert lines[0].endswith('norm of the gradient on seen, unused')
    assert [line.split()[0] for line in lines[1:5]] == ['box', 'loss_text', 'loss_region', 'head']
    assert lines[1].split()[2:] == ['19.500', '9', '0'] and lines[-1] == 'the head weighs 3.50 times the box loss'
