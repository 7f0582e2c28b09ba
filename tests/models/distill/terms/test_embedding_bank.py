import torch

from mmduet.models.distill.terms.embedding_bank import EmbeddingBank


def test_rows_of_one_update_are_kept_without_gradient_and_those_of_others_are_not():
    bank, first, second = EmbeddingBank(), torch.ones(2, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    assert bank.join(0, first)[0] is first
    joined, = bank.join(0, second)
    assert joined.tolist() == [[0.0] * 3, [1.0] * 3, [1.0] * 3]
    joined.sum().backward()
    assert first.grad is None and second.grad.tolist() == [[1.0] * 3]
    assert [tensor.tolist() for tensor in bank.join(1, second, torch.tensor([5]))] == [[[0.0] * 3], [5]]
    assert [len(tensor) for tensor in bank.join(1, first, torch.tensor([6, 7]))] == [3, 3]
