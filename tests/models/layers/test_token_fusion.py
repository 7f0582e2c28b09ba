import pytest
import torch
from torch import nn

from mmduet.models.layers.token_fusion import fuse_tokens
from mmduet.models.layers.transformer import TransformerEncoder


def test_text_and_visual_tokens_keep_their_positions_whatever_the_length():
    torch.manual_seed(0)
    encoder = TransformerEncoder(num_layers=2, channels=8, heads=2, feedforward=16, dropout=0.0).eval()
    token, positions = nn.Embedding(1, 8), nn.Embedding(1 + 5 + 4, 8)
    visual, text = torch.randn(2, 4, 8), torch.randn(2, 5, 8)
    visual_padding = torch.tensor([[False] * 4, [False, False, True, True]])
    text_padding = torch.tensor([[False, False, True, True, True]] * 2)
    whole = fuse_tokens(encoder, token, positions, visual, visual_padding, text, text_padding)
    short = fuse_tokens(encoder, token, positions, visual, visual_padding, text[:, :3], text_padding[:, :3])
    assert whole.query.shape == (2, 8) and whole.visual.shape == (2, 4, 8)
    assert all(torch.allclose(getattr(whole, name), getattr(short, name), atol=1e-6) for name in ('query', 'visual', 'taken'))
    assert whole.attention is short.attention is None
    tokens = torch.cat([token.weight.expand(2, 1, 8), text, visual], dim=1)
    padding = torch.cat([torch.zeros(2, 1, dtype=torch.bool), text_padding, visual_padding], dim=1)
    first = encoder.layers[0](tokens, positions.weight[None], ~padding[:, None, None, :])
    assert torch.allclose(whole.taken, first[:, 6:], atol=1e-6)


def test_the_sequence_is_query_words_cells():
    encoder = TransformerEncoder(num_layers=0, channels=2)
    token, positions = nn.Embedding(1, 2), nn.Embedding(4, 2)
    visual, text = torch.tensor([[[1.0, 1.0], [2.0, 2.0]]]), torch.tensor([[[3.0, 3.0]]])
    no_padding = torch.zeros(1, 2, dtype=bool), torch.zeros(1, 1, dtype=bool)
    given = encoder, token, positions, visual, no_padding[0], text, no_padding[1]
    fused = fuse_tokens(*given)
    assert torch.equal(fused.query, token.weight)
    assert fused.visual.tolist() == fused.taken.tolist() == [[[1.0, 1.0], [2.0, 2.0]]]
    with pytest.raises(ValueError, match='a fusion without layers has no attention'):
        fuse_tokens(*given, attention=True)


def test_the_query_weighs_visual_tokens_as_the_last_layer_does():
    torch.manual_seed(0)
    encoder = TransformerEncoder(num_layers=2, channels=8, heads=2, feedforward=16, dropout=0.0).eval()
    token, positions = nn.Embedding(1, 8), nn.Embedding(1 + 3 + 4, 8)
    visual, text = torch.randn(2, 4, 8), torch.randn(2, 3, 8)
    visual_padding = torch.tensor([[False] * 4, [False, False, True, True]])
    text_padding = torch.zeros(2, 3, dtype=torch.bool)
    found = fuse_tokens(encoder, token, positions, visual, visual_padding, text, text_padding, attention=True).attention
    tokens = torch.cat([token.weight.expand(2, 1, 8), text, visual], dim=1)
    padding = torch.cat([torch.zeros(2, 4, dtype=torch.bool), visual_padding], dim=1)
    taken = encoder.layers[0](tokens, positions.weight[None], ~padding[:, None, None, :]) + positions.weight
    last = encoder.layers[1].self_attn
    oracle = nn.MultiheadAttention(8, 2, batch_first=True)
    oracle.load_state_dict(last.state_dict())
    weights = oracle(taken, taken, taken, key_padding_mask=padding)[1][:, 0]
    assert torch.allclose(found, weights[:, 4:], atol=1e-6)
    assert torch.allclose(last.weights(taken[:, :1], taken, None).sum(dim=-1), torch.ones(2, 1))
    assert found[1, 2:].tolist() == [0.0, 0.0]
