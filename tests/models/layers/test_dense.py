import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmduet.models.layers.dense import Dense, dense, speed_up_linears

WIDE = torch.backends.cpu.get_cpu_capability() == 'AVX512'


def name_of_operation(result):
    """What autograd says made a tensor, below its changes of shape."""
    node = result.grad_fn
    while node is not None and 'Convolution' not in node.name() and 'Addmm' not in node.name():
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)
    return node.name() if node is not None else ''


@pytest.mark.parametrize('shape', [(300, 256), (2, 150, 256), (1, 5, 60, 256)])
@pytest.mark.parametrize('bias', [True, False])
def test_many_tokens_give_the_values_and_gradients_of_a_linear_layer(shape, bias):
    torch.manual_seed(0)
    tokens = torch.randn(shape, requires_grad=True)
    weight = torch.randn(128, 256, requires_grad=True)
    offset = torch.randn(128, requires_grad=True) if bias else None
    learnt = [value for value in (tokens, weight, offset) if value is not None]
    ours, reference = dense(tokens, weight, offset), F.linear(tokens, weight, offset)
    assert ours.shape == (*shape[:-1], 128)
    assert torch.allclose(ours, reference, atol=1e-3)
    seen = torch.randn_like(reference)
    gradients = [torch.autograd.grad(result, learnt, seen) for result in (ours, reference)]
    assert all(torch.allclose(got, expected, atol=1e-3) for got, expected in zip(*gradients, strict=True))


@pytest.mark.skipif(not WIDE, reason='this processor has no AVX-512')
def test_only_what_gains_by_it_becomes_a_convolution():
    weight = torch.randn(128, 256, requires_grad=True)
    assert 'Convolution' in name_of_operation(dense(torch.randn(300, 256), weight))
    assert name_of_operation(dense(torch.randn(100, 256), weight, torch.zeros(128))) == 'AddmmBackward0'
    assert name_of_operation(dense(torch.randn(300, 64), weight[:, :64], torch.zeros(128))) == 'AddmmBackward0'


@pytest.mark.skipif(not WIDE, reason='this processor has no AVX-512')
def test_few_weights_become_a_convolution_over_many_tokens_where_nothing_is_learnt():
    def operations(rows):
        with torch.profiler.profile() as profile:
            dense(torch.randn(rows, 96), torch.randn(96, 96), torch.zeros(96))
        return {event.key for event in profile.key_averages()}

    assert 'aten::mkldnn_convolution' in operations(1000)
    assert 'aten::addmm' in operations(500)
    learnt = torch.randn(96, 96, requires_grad=True)
    assert name_of_operation(dense(torch.randn(1000, 96), learnt, torch.zeros(96))) == 'AddmmBackward0'


def test_half_precision_and_autocast_stay_with_the_matrix_product():
    weight, tokens = torch.randn(128, 256), torch.randn(300, 256)
    assert dense(tokens.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
    with torch.autocast('cpu', torch.bfloat16):
        assert dense(tokens, weight).dtype == torch.bfloat16


def test_a_network_of_another_library_keeps_its_parameters_under_their_names():
    network = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Sequential(nn.Linear(256, 128, bias=False)),
                            nn.MultiheadAttention(8, 2)).eval()
    before, tokens = dict(network.named_parameters()), torch.randn(80, 256)
    with torch.no_grad():
        expected = network[:3](tokens)
        assert speed_up_linears(network) == 2
        assert torch.allclose(network[:3](tokens), expected, atol=1e-5)
    after = dict(network.named_parameters())
    assert list(after) == list(before) and all(after[name] is before[name] for name in before)
    assert isinstance(network[0], Dense) and not network[0].training
    # The projection of torch's attention is read by the attention itself.
    assert not isinstance(network[3].out_proj, Dense)


def test_a_layer_without_memory_has_a_shape():
    with torch.device('meta'):
        assert Dense(256, 128)(torch.empty(300, 256)).shape == (300, 128)
