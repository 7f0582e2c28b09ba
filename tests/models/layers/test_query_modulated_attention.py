import torch

from mmduet.models.layers.query_modulated_attention import DynamicLinear, QueryModulatedAttention


def test_a_dynamic_layer_multiplies_by_what_the_query_writes():
    layer = DynamicLinear(query_channels=1, in_channels=2, out_channels=1, rank=2)
    with torch.no_grad():
        layer.factor.weight.zero_()
        # Rows of the factor: two inputs and the bias, two numbers each.
        layer.factor.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
        layer.basis.copy_(torch.tensor([[2.0], [3.0]]))
    # Weights 2 and 3, bias 5: 2 * 1 + 3 * 10 + 5.
    assert layer(torch.tensor([[[1.0, 10.0]]]), torch.zeros(1, 1)).tolist() == [[[37.0]]]


def test_a_new_gate_is_one_half_of_one_half_and_both_its_halves_learn():
    torch.manual_seed(0)
    gate = QueryModulatedAttention(channels=64, query_channels=8, rank=4)
    tokens, query = torch.randn(2, 5, 64), torch.randn(2, 8)
    gated = gate(tokens, query)
    assert torch.allclose(gated, tokens / 4)
    gated.square().sum().backward()
    assert gate.spatial.basis.grad.abs().sum() > 0
    assert gate.channel_out.basis.grad.abs().sum() > 0


def test_another_query_gates_otherwise_and_channels_are_weighed_before_cells():
    torch.manual_seed(0)
    gate = QueryModulatedAttention(channels=16, query_channels=8, rank=4)
    torch.nn.init.normal_(gate.channel_out.basis)
    tokens = torch.randn(2, 5, 16)
    gated = gate(tokens, torch.randn(2, 8))
    ratio = gated / tokens * 2  # the spatial gate is still one half everywhere
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-5)
    assert not torch.allclose(ratio[0], ratio[1], atol=1e-3)


def test_a_gate_works_under_autocast():
    gate = QueryModulatedAttention(channels=16, query_channels=8, rank=4)
    with torch.autocast('cpu', torch.bfloat16):
        gated = gate(torch.randn(2, 5, 16), torch.randn(2, 8).bfloat16())
    assert gated.isfinite().all()
