import copy

import pytest
import torch
from mmdet.models.backbones import ResNet

from mmduet.models.folding import FoldedConv2d, FoldedNorm, fold_frozen_norms, keep_products, unfold_frozen_norms
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
    assert (fold_frozen_norms(folded), fold_frozen_norms(folded)) == (10, 0)
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


@pytest.mark.parametrize('context', [torch.no_grad, torch.inference_mode])
def test_a_kept_product_predicts_the_same_learns_the_same_and_follows_weights_and_norms(context):
    plain = _small_resnet()
    plain.eval()  # returns nothing
    kept, x = copy.deepcopy(plain), torch.randn(2, 3, 32, 32)
    fold_frozen_norms(kept)
    with context():
        kept(x)
    keep_products(kept)

    def check():
        with context():
            assert torch.allclose(kept(x)[0], plain(x)[0], rtol=1e-4, atol=1e-5)
            assert torch.equal(kept(x)[0], kept(x)[0])

    check()
    product = kept.layer2[0].conv1._product[1]
    check()
    assert kept.layer2[0].conv1._product[1] is product
    for network in (plain, kept):
        with torch.no_grad():
            network.layer2[0].conv1.weight.mul_(2)
        network.load_state_dict({name: 1.1 * value for name, value in network.state_dict().items()})
    check()
    for network in (plain, kept):
        network(x)[0].square().sum().backward()
    assert torch.allclose(plain.layer2[0].conv1.weight.grad, kept.layer2[0].conv1.weight.grad, rtol=1e-3, atol=1e-3)
    other = copy.deepcopy(kept)
    assert other.layer2[0].conv1._product is None
    unfold_frozen_norms(kept)
    assert kept.state_dict().keys() == plain.state_dict().keys()
    with context():
        assert torch.equal(kept(x)[0], plain(x)[0])
