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
    query, fused, taken = fuse_tokens(encoder, token, positions, visual, visual_padding, text, text_padding)
    short = fuse_tokens(encoder, token, positions, visual, visual_padding, text[:, :3], text_padding[:, :3])
    assert query.shape == (2, 8) and fused.shape == (2, 4, 8)
    assert torch.allclose(query, short[0], atol=1e-6) and torch.allclose(fused, short[1], atol=1e-6)
    assert torch.allclose(taken, short[2], atol=1e-6)
    tokens = torch.cat([token.weight.expand(2, 1, 8), text, visual], dim=1)
    padding = torch.cat([torch.zeros(2, 1, dtype=torch.bool), text_padding, visual_padding], dim=1)
    first = encoder.layers[0](tokens, positions.weight[None], ~padding[:, None, None, :])
    assert torch.allclose(taken, first[:, 6:], atol=1e-6)


def test_the_sequence_is_query_words_cells():
    encoder = TransformerEncoder(num_layers=0, channels=2)
    token, positions = nn.Embedding(1, 2), nn.Embedding(4, 2)
    visual, text = torch.tensor([[[1.0, 1.0], [2.0, 2.0]]]), torch.tensor([[[3.0, 3.0]]])
    no_padding = torch.zeros(1, 2, dtype=bool), torch.zeros(1, 1, dtype=bool)
    query, fused, taken = fuse_tokens(encoder, token, positions, visual, no_padding[0], text, no_padding[1])
    assert torch.equal(query, token.weight)
    assert fused.tolist() == taken.tolist() == [[[1.0, 1.0], [2.0, 2.0]]]
