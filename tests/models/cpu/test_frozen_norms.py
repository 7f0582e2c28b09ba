import copy

import torch
from mmdet.models.backbones import ResNet

from mmduet.models.cpu.frozen_norms import FoldedConv2d, FoldedNorm, fold_frozen_norms
from mmduet.models.layers import FrozenBatchNorm2d


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


def _count(network, kind):
    return sum(type(module) is kind for module in network.modules())


def test_folded_norms_give_the_same_maps_gradients_and_state_dict():
    plain = _small_resnet()
    folded = copy.deepcopy(plain)
    fold_frozen_norms(folded)
    fold_frozen_norms(folded)
    assert _count(folded, FoldedConv2d) == _count(folded, FoldedNorm) == 10
    assert folded.state_dict().keys() == plain.state_dict().keys()
    original, folded = folded, copy.deepcopy(folded)  # a copy folds its own norms, as a moving average of the weights does
    original.bn1.weight.zero_()
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
