import pytest
import torch
import torch.nn.functional as F

from mmduet.models.cpu.linear import CPULinear, linear

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
    ours, reference = linear(tokens, weight, offset), F.linear(tokens, weight, offset)
    assert ours.shape == (*shape[:-1], 128)
    assert torch.allclose(ours, reference, atol=1e-3)
    seen = torch.randn_like(reference)
    gradients = [torch.autograd.grad(result, learnt, seen) for result in (ours, reference)]
    assert all(torch.allclose(got, expected, atol=1e-3) for got, expected in zip(*gradients, strict=True))


@pytest.mark.skipif(not WIDE, reason='this processor has no AVX-512')
def test_only_what_gains_by_it_becomes_a_convolution():
    weight = torch.randn(128, 256, requires_grad=True)
    assert 'Convolution' in name_of_operation(linear(torch.randn(300, 256), weight))
    assert name_of_operation(linear(torch.randn(100, 256), weight, torch.zeros(128))) == 'AddmmBackward0'
    assert name_of_operation(linear(torch.randn(300, 64), weight[:, :64], torch.zeros(128))) == 'AddmmBackward0'


@pytest.mark.parametrize('rows', [64, 80, 81])
def test_no_convolution_is_a_slow_loop(rows):
    with torch.no_grad(), torch.profiler.profile() as profile:
        linear(torch.randn(rows, 256), torch.randn(256, 256))
    assert not any('slow' in event.key for event in profile.key_averages())


@pytest.mark.skipif(not WIDE, reason='this processor has no AVX-512')
def test_few_weights_become_a_convolution_over_many_tokens_where_nothing_is_learnt():
    def operations(rows):
        with torch.profiler.profile() as profile:
            linear(torch.randn(rows, 96), torch.randn(96, 96), torch.zeros(96))
        return {event.key for event in profile.key_averages()}

    assert 'aten::mkldnn_convolution' in operations(1000)
    assert 'aten::addmm' in operations(500)
    learnt = torch.randn(96, 96, requires_grad=True)
    assert name_of_operation(linear(torch.randn(1000, 96), learnt, torch.zeros(96))) == 'AddmmBackward0'


def test_half_precision_and_autocast_stay_with_the_matrix_product():
    weight, tokens = torch.randn(128, 256), torch.randn(300, 256)
    assert linear(tokens.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
    with torch.autocast('cpu', torch.bfloat16):
        assert linear(tokens, weight).dtype == torch.bfloat16


def test_a_layer_without_memory_has_a_shape():
    with torch.device('meta'):
        assert CPULinear(256, 128)(torch.empty(300, 256)).shape == (300, 128)
