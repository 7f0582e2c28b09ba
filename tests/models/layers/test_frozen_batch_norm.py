import copy

import torch
from mmdet.models.backbones import ResNet
from torch import nn

from mmduet.models.layers.frozen_batch_norm import FrozenBatchNorm2d, fold_frozen_norms


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


def _small_resnet():
    torch.manual_seed(0)
    network = ResNet(18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1, ), base_channels=8, stem_channels=8,
                     norm_cfg=dict(type=FrozenBatchNorm2d), frozen_stages=1)
    for norm in network.modules():
        if isinstance(norm, FrozenBatchNorm2d):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.1, 2)
    return network


def test_folded_norms_give_the_same_maps_gradients_and_state_dict():
    plain = _small_resnet()
    folded = copy.deepcopy(plain)
    assert fold_frozen_norms(folded) == 10
    assert fold_frozen_norms(folded) == 0
    assert folded.state_dict().keys() == plain.state_dict().keys()
    folded = copy.deepcopy(folded)  # a copy folds its own norms, as a moving average of the weights does
    folded.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 32, 32)
    outputs = [network(x)[0] for network in (plain, folded)]
    assert torch.allclose(*outputs, rtol=1e-4, atol=1e-5)
    for output in outputs:
        output.square().sum().backward()
    gradients = [{name: p.grad for name, p in network.named_parameters() if p.grad is not None} for network in (plain, folded)]
    assert gradients[0].keys() == gradients[1].keys()
    assert not any(name.startswith(('conv1', 'layer1')) for name in gradients[0])
    assert all(torch.allclose(gradients[0][name], gradients[1][name], rtol=1e-3, atol=1e-3) for name in gradients[0])
