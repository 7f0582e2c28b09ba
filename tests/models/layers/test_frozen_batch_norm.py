import torch
from torch import nn

from mmduet.models.layers.frozen_batch_norm import FrozenBatchNorm2d


def test_equals_batch_norm_in_eval_mode_and_loads_its_checkpoint():
    torch.manual_seed(0)
    reference = nn.BatchNorm2d(4)
    for tensor in (reference.weight.data, reference.bias.data, reference.running_mean):
        tensor.normal_()
    reference.running_var.uniform_(0.01, 2)
    frozen = FrozenBatchNorm2d(4)
    frozen.load_state_dict(reference.state_dict(), strict=True)
    x = torch.randn(2, 4, 5, 5)
    assert torch.allclose(frozen.train()(x), reference.eval()(x), atol=1e-6)


def test_has_nothing_to_train_and_is_unmoved_by_training():
    frozen = FrozenBatchNorm2d(3).train()
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    frozen(torch.randn(8, 3, 2, 2) * 5 + 1)
    assert list(frozen.parameters()) == []
    assert all(torch.equal(before[key], value) for key, value in frozen.state_dict().items())
