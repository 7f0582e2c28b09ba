import pytest
import torch

from mmduet.models.cpu.dropout import CPUDropout, keep_mask


def test_the_share_dropped_and_the_mean_are_right():
    torch.manual_seed(0)
    kept = CPUDropout(0.1)(torch.ones(1000, 1001))
    assert (kept == 0).float().mean().item() == pytest.approx(0.1, abs=0.001)
    assert kept.mean().item() == pytest.approx(1, abs=0.001)
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.9], abs=1e-4)


def test_elements_are_dropped_independently():
    torch.manual_seed(0)
    mask = (keep_mask(torch.Size([4, 250_000]), 0.5) == 0).float()
    neighbours = torch.corrcoef(torch.stack([mask.flatten()[k:k + 999_990] for k in range(5)]))
    assert (neighbours - torch.eye(5)).abs().max() < 0.005


def test_the_gradient_passes_where_the_value_did_and_the_seed_decides():
    torch.manual_seed(1)
    x = torch.ones(50, requires_grad=True)
    y = CPUDropout(0.4)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    torch.manual_seed(1)
    assert torch.equal(CPUDropout(0.4)(torch.ones(50)), y)


def test_nothing_is_dropped_outside_training_or_at_rate_zero():
    x = torch.randn(10)
    assert torch.equal(CPUDropout(0.5).eval()(x), x)
    assert torch.equal(CPUDropout(0.0)(x), x)


def test_a_rate_of_one_drops_everything():
    assert torch.equal(CPUDropout(1.0)(torch.ones(50)), torch.zeros(50))
