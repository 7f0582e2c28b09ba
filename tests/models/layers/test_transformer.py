import pytest
import torch
from torch import nn

from mmduet.models.layers.transformer import PostNormEncoderLayer, SelfAttention, TransformerEncoder


def test_attention_equals_the_reference_with_positions_in_queries_and_keys_only():
    torch.manual_seed(0)
    ours = SelfAttention(channels=16, heads=4, dropout=0.0)
    reference = nn.MultiheadAttention(16, 4, batch_first=True)
    reference.load_state_dict(ours.state_dict())
    tokens, positions = torch.randn(2, 5, 16), torch.randn(1, 5, 16)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    expected, _ = reference(tokens + positions, tokens + positions, tokens, key_padding_mask=padding)
    assert torch.allclose(ours(tokens, positions, ~padding[:, None, None, :]), expected, atol=1e-6)


def test_layer_equals_torchs_post_norm_layer_without_positions():
    torch.manual_seed(0)
    ours = PostNormEncoderLayer(16, 4, 32, dropout=0.0).eval()
    reference = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True, norm_first=False).train()
    reference.load_state_dict(ours.state_dict())
    tokens = torch.randn(2, 5, 16)
    assert torch.allclose(ours(tokens, torch.zeros(1, 5, 16), None), reference(tokens), atol=1e-6)


def test_padded_tokens_have_no_influence_and_dropout_acts_in_training_only():
    torch.manual_seed(0)
    encoder = TransformerEncoder(2, 16, heads=2, feedforward=32, dropout=0.5).eval()
    tokens, positions = torch.randn(1, 6, 16), torch.randn(1, 6, 16)
    padding = torch.tensor([[False] * 4 + [True] * 2])
    changed = tokens.clone()
    changed[:, 4:] = 100.0
    assert torch.allclose(encoder(tokens, positions, padding)[:, :4], encoder(changed, positions, padding)[:, :4], atol=1e-6)
    assert not torch.allclose(encoder.train()(tokens, positions, padding), encoder.eval()(tokens, positions, padding))


def test_no_layer_leaves_the_tokens_as_they_are():
    tokens = torch.randn(1, 3, 8)
    assert torch.equal(TransformerEncoder(0, 8)(tokens, tokens, None), tokens)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='3 heads do not divide 16 channels'):
        SelfAttention(16, 3, 0.0)


def test_attention_with_dropout_has_the_mean_of_attention_without():
    torch.manual_seed(0)
    attention = SelfAttention(channels=8, heads=2, dropout=0.3)
    tokens, positions = torch.randn(1, 6, 8), torch.randn(1, 6, 8)
    attend = torch.tensor([True] * 4 + [False] * 2)[None, None, None]
    with torch.no_grad():
        mean = torch.stack([attention.train()(tokens, positions, attend) for _ in range(3000)]).mean(dim=0)
        assert torch.allclose(mean, attention.eval()(tokens, positions, attend), atol=0.03)
