import math

import pytest
import torch
from torch import nn

from mmduet.models.layers.attention import RelativePositionAttention, TokenAttention, relative_sine_table


def test_attention_equals_the_reference_with_positions_in_queries_and_keys_only():
    torch.manual_seed(0)
    ours = TokenAttention(channels=16, heads=4, dropout=0.0)
    reference = nn.MultiheadAttention(16, 4, batch_first=True)
    reference.load_state_dict(ours.state_dict())
    tokens, positions = torch.randn(2, 5, 16), torch.randn(1, 5, 16)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    positioned = tokens + positions
    expected, _ = reference(positioned, positioned, tokens, key_padding_mask=padding)
    assert torch.allclose(ours(positioned, positioned, tokens, ~padding[:, None, None, :]), expected, atol=1e-6)


def test_attention_to_another_sequence_equals_the_reference():
    torch.manual_seed(0)
    ours = TokenAttention(channels=16, heads=4, dropout=0.0)
    reference = nn.MultiheadAttention(16, 4, batch_first=True)
    reference.load_state_dict(ours.state_dict())
    query, key, value = torch.randn(2, 3, 16), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    attend = ~padding[:, None, None, :]
    expected, _ = reference(query, key, value, key_padding_mask=padding)
    assert torch.allclose(ours(query, key, value, attend), expected, atol=1e-6)
    expected, _ = reference(query, key, key, key_padding_mask=padding)
    assert torch.allclose(ours(query, key, key, attend), expected, atol=1e-6)


def test_the_sine_table_has_literal_values():
    table = relative_sine_table(feature_size=4, channels=4)
    assert table.shape == (9, 4)
    assert table[4].tolist() == [0, 1, 0, 1]
    # One position of four is a quarter turn; the second wave is a hundred times slower.
    expected = [1, 0, math.sin(math.pi / 200), math.cos(math.pi / 200)]
    assert table[5].tolist() == pytest.approx(expected, abs=1e-6)
    assert table[3].tolist() == pytest.approx([-1, 0, -expected[2], expected[3]], abs=1e-6)


def _by_definition(attention, tokens, values, positions):
    """Every pair of tokens by itself; ``positions`` are (N, 2) rows and columns."""
    side, heads, channels = attention.feature_size, attention.heads, tokens.shape[-1]
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    query, key = tokens @ weights[0].T + biases[0], tokens @ weights[1].T + biases[1]
    value = values @ weights[2].T + biases[2]
    offsets = positions[:, None] - positions[None] + side
    embedded = torch.cat([attention.pos_y[offsets[..., 0]], attention.pos_x[offsets[..., 1]]], dim=-1) @ weights[1].T
    mixed = []
    for head in torch.arange(channels).chunk(heads):
        scores = torch.einsum('nc,nmc->nm', query[:, head], key[None, :, head] + embedded[..., head]) / len(head)**0.5
        mixed.append(scores.softmax(dim=1) @ value[:, head])
    return attention.out_proj(torch.cat(mixed, dim=1))


def test_relative_attention_equals_its_definition():
    torch.manual_seed(0)
    attention = RelativePositionAttention(channels=16, heads=2, dropout=0.0, feature_size=3)
    tokens, values = torch.randn(2, 9, 16), torch.randn(2, 9, 16)
    positions = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    expected = torch.stack([_by_definition(attention, *pair, positions) for pair in zip(tokens, values, strict=True)])
    assert torch.allclose(attention(tokens, values, None), expected, atol=1e-5)
    assert torch.allclose(attention(tokens, values, torch.zeros(2, 9, dtype=torch.bool)), expected, atol=1e-5)


def test_padded_tokens_are_not_attended_to_and_real_ones_see_the_same_offsets():
    torch.manual_seed(0)
    attention = RelativePositionAttention(channels=16, heads=2, dropout=0.0, feature_size=3)
    tokens = torch.randn(1, 9, 16)
    real = torch.tensor([1, 2, 4, 5])
    padding = torch.ones(1, 9, dtype=torch.bool)
    padding[:, real] = False
    changed = tokens.masked_fill(padding[..., None], 50.0)
    got = attention(changed, changed, padding)[0, real]
    expected = _by_definition(attention, tokens[0, real], tokens[0, real], torch.tensor([[0, 1], [0, 2], [1, 1], [1, 2]]))
    assert torch.allclose(got, expected, atol=1e-5)


def test_attention_with_dropout_has_the_mean_of_attention_without():
    torch.manual_seed(0)
    attention = TokenAttention(channels=8, heads=2, dropout=0.3)
    positioned, tokens = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
    attend = torch.tensor([True] * 4 + [False] * 2)[None, None, None]
    with torch.no_grad():
        mean = torch.stack([attention.train()(positioned, positioned, tokens, attend) for _ in range(3000)]).mean(dim=0)
        assert torch.allclose(mean, attention.eval()(positioned, positioned, tokens, attend), atol=0.03)


def test_relative_attention_with_dropout_has_the_mean_of_attention_without():
    torch.manual_seed(0)
    attention = RelativePositionAttention(channels=8, heads=2, dropout=0.3, feature_size=2)
    tokens = torch.randn(1, 4, 8)
    with torch.no_grad():
        mean = torch.stack([attention.train()(tokens, tokens, None) for _ in range(3000)]).mean(dim=0)
        assert torch.allclose(mean, attention.eval()(tokens, tokens, None), atol=0.03)


def test_a_map_of_another_size_is_refused_and_so_are_its_weights():
    attention = RelativePositionAttention(channels=8, heads=2, dropout=0.0, feature_size=3)
    with pytest.raises(ValueError, match='16 visual tokens for positions of a map of 3 x 3: set feature_size'):
        attention(torch.zeros(1, 16, 8), torch.zeros(1, 16, 8), None)
    with pytest.raises(RuntimeError, match='size mismatch for pos_x'):
        attention.load_state_dict(RelativePositionAttention(8, 2, 0.0, feature_size=4).state_dict())


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='3 heads do not divide 16 channels'):
        TokenAttention(16, 3, 0.0)
