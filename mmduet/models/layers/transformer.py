"""The post-norm transformer encoder of DETR and of TransVG's fusion."""
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.attention import TokenAttention


def init_matrices(module: nn.Module) -> None:
    """Draw all parameters of more than one axis anew (Xavier, uniform)."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


class PostNormEncoderLayer(nn.Module):
    """Self-attention and a two-layer network, each followed by addition and layer norm; arguments as in the encoder."""

    def __init__(self, channels: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = TokenAttention(channels, heads, dropout)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor, attend: Tensor | None) -> Tensor:
        """Transform (B, N, C) tokens at (B or 1, N, C) positions; ``attend`` as in ``TokenAttention``."""
        positioned = tokens + positions
        tokens = self.norm1(tokens + self.dropout(self.self_attn(positioned, positioned, tokens, attend)))
        hidden = self.dropout(F.relu(self.linear1(tokens)))
        return self.norm2(tokens + self.dropout(self.linear2(hidden)))

    def attention(self, tokens: Tensor, positions: Tensor, attend: Tensor | None) -> Tensor:
        """(B, N) float32 weights, of sum 1, by which the first token attends to all; arguments as in ``forward``."""
        positioned = tokens + positions
        return self.self_attn.weights(positioned[:, :1], positioned, attend)[:, 0]


class TransformerEncoder(nn.Module):
    """A stack of post-norm layers; positions are added anew in each, padded tokens are never attended to.

    Args:
        num_layers: may be 0, which leaves the tokens as they are.
        channels, heads: C, and the number of attention heads.
        feedforward: hidden width of each layer's two-layer network.
        dropout: in [0, 1), of the attention weights, after attention, after the hidden layer and after the second.
    """

    def __init__(self, num_layers: int, channels: int, heads: int = 8, feedforward: int = 2048, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PostNormEncoderLayer(channels, heads, feedforward, dropout) for _ in range(num_layers))
        init_matrices(self)

    def forward(self, tokens: Tensor, positions: Tensor, padding: Tensor | None, taken: list[Tensor] | None = None) -> Tensor:
        """Transform (B, N, C) tokens at (B or 1, N, C) positions; ``padding`` is (B, N) bool, or None where there is none.

        What each layer takes is added to the list ``taken``, if there is one.
        """
        attend = None if padding is None else ~padding[:, None, None, :]
        for layer in self.layers:
            if taken is not None:
                taken.append(tokens)
            tokens = layer(tokens, positions, attend)
        return tokens
