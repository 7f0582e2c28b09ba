import torch

from mmduet.storm.comparison import differences


def test_differences_are_named():
    first = {'a': [torch.tensor([1.0, 2.0]), (1, 'x')], 'b': 1, 'c': None}
    assert list(differences(first, {'a': [torch.tensor([1.0, 2.0]), (1, 'x')], 'b': 1, 'c': None})) == []
    second = {'a': [torch.tensor([1.0, 3.0]), (1, 'y')], 'b': 1, 'd': None}
    assert list(differences(first, second)) == ['.a.0', '.a.1.1', '.c', '.d']
    assert list(differences([torch.tensor(1)], [torch.tensor(1.0)])) == ['.0']
