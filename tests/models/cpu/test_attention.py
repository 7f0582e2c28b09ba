import copy

import pytest
import torch
from torch import nn

from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.cpu.attention import CPUMultiheadAttention
from mmduet.models.layers.attention import RelativePositionAttention, TokenAttention


def answer(attention, tokens):
    attend = torch.tensor([True] * 3 + [False])[None, None, None]
    if isinstance(attention, TokenAttention):
        return attention(tokens, tokens, tokens, attend)
    return attention(tokens, tokens, ~attend[0, 0])


ATTENTIONS = pytest.mark.parametrize('kind', [TokenAttention, RelativePositionAttention])


def build(kind, dropout):
    torch.manual_seed(0)
    return kind(8, 2, dropout, *([2] if kind is RelativePositionAttention else []))


@ATTENTIONS
def test_with_dropout_attention_has_the_mean_and_the_spread_of_torchs_own(kind):
    plain = build(kind, 0.3)
    fast = optimise_for_cpu(copy.deepcopy(plain))
    tokens = torch.randn(1, 4, 8)
    with torch.no_grad():
        drawn = [torch.stack([answer(attention, tokens) for _ in range(3000)]) for attention in (plain, fast)]
        assert torch.allclose(drawn[1].mean(dim=0), answer(plain.eval(), tokens), atol=0.03)
        assert torch.allclose(drawn[0].std(dim=0), drawn[1].std(dim=0), atol=0.03)
        assert torch.allclose(answer(fast.eval(), tokens), answer(plain, tokens), atol=1e-6)


@ATTENTIONS
def test_the_seed_decides_what_is_dropped(kind):
    fast, tokens = optimise_for_cpu(build(kind, 0.5)), torch.randn(1, 4, 8)
    torch.manual_seed(1)
    first, second = answer(fast, tokens), answer(fast, tokens)
    torch.manual_seed(1)
    assert torch.equal(answer(fast, tokens), first) and not torch.equal(second, first)


@pytest.mark.parametrize('training', [False, True])
def test_attention_of_a_library_is_torchs_own_whatever_it_is_asked(training):
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(32, 4, batch_first=True).train(training)
    nn.init.normal_(plain.in_proj_bias)
    fast = optimise_for_cpu(nn.Sequential(copy.deepcopy(plain)))[0]
    assert isinstance(fast, CPUMultiheadAttention)
    tokens, causal = torch.randn(2, 5, 32), torch.full((5, 5), -torch.inf).triu(1)
    other, padding = torch.randn(2, 3, 32), torch.tensor([[False] * 4 + [True]] * 2)
    for arguments, named in (((tokens, ) * 3, dict(need_weights=False, attn_mask=causal)),
                             ((tokens, ) * 3, dict(need_weights=False)),
                             ((tokens, ) * 3, dict(need_weights=False, attn_mask=causal < 0)),
                             ((tokens, ) * 3, dict(key_padding_mask=padding)),
                             ((tokens[0], ) * 3, dict()), ((tokens, other, other), dict())):
        expected, weights = plain(*arguments, **named)
        got, got_weights = fast(*arguments, **named)
        assert torch.allclose(got, expected, atol=1e-6), named
        assert (weights is None) == (got_weights is None)


def test_attention_of_a_library_keeps_its_own_dropout_and_what_is_not_alike_stays():
    dropping = nn.MultiheadAttention(32, 4, dropout=0.5, batch_first=True)
    fast, tokens = optimise_for_cpu(copy.deepcopy(dropping)), torch.randn(2, 5, 32)
    results = []
    for attention in (dropping, fast):
        torch.manual_seed(0)
        results.append(attention(tokens, tokens, tokens, need_weights=False)[0])
    assert torch.equal(*results)
    others = nn.ModuleList([nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True),
                            nn.MultiheadAttention(8, 2, batch_first=True, kdim=4)])
    assert all(type(attention) is nn.MultiheadAttention for attention in optimise_for_cpu(others))
