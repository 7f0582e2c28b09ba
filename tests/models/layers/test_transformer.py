import torch
from torch import nn

from mmduet.models.layers.transformer import PostNormEncoderLayer, TransformerEncoder


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
