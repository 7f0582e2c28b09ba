import pytest
import torch
import torch.nn.functional as F

from mmduet.models.losses.listwise_loss import EXCLUDED, listwise_loss


def test_the_divergence_of_a_softmax_by_hand():
    # p = (3/4, 1/4) against (1/2, 1/2): 3/4 log 3/2 + 1/4 log 1/2.
    assert listwise_loss(torch.zeros(1, 2), torch.tensor([[6.0, 2.0]])) == pytest.approx(0.130812, abs=1e-6)


def test_it_is_zero_where_the_softmax_is_as_wanted_and_cross_entropy_for_one_right_region():
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    assert listwise_loss(logits, 7 * logits.softmax(dim=1)) == pytest.approx(0, abs=1e-6)
    labels = torch.tensor([0, 4, 2])
    expected = F.cross_entropy(logits, labels)
    assert listwise_loss(logits, F.one_hot(labels, 5).float()) == pytest.approx(expected.item(), rel=1e-6)


def test_an_image_without_shares_and_excluded_regions_count_nothing():
    logits = torch.tensor([[1.0, 2.0, EXCLUDED], [3.0, 0.0, EXCLUDED]]).requires_grad_()
    loss = listwise_loss(logits, torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    loss.backward()
    expected = F.kl_div(torch.tensor([1.0, 2.0]).log_softmax(0), torch.tensor([0.5, 0.5]), reduction='sum') / 2
    torch.testing.assert_close(loss, expected)
    assert logits.grad[1].tolist() == [0, 0, 0] and logits.grad[0, 2] == 0


def test_gradients_half_precision_and_bad_shapes():
    logits = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    shares = torch.tensor([[0.0, 1.0, 2.0, 0.5], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda value: listwise_loss(value, shares), (logits, ))
    half = listwise_loss(logits.detach().half(), shares.half())
    assert half.dtype == torch.float32 and half == pytest.approx(listwise_loss(logits, shares).item(), abs=1e-2)
    with pytest.raises(ValueError, match=r'logits and shares must both be \(B, K\), got \(2, 4\) and \(2, 3\)'):
        listwise_loss(logits, shares[:, :3])
