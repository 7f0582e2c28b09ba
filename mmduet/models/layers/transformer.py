"""The post-norm transformer encoder of DETR and of TransVG's fusion."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.dropout import Dropout


class SelfAttention(nn.Module):
    """Multi-head self-attention whose positions enter queries and keys but not values (DETR, Carion et al. 2020).

    Parameters are named and shaped as in ``nn.MultiheadAttention``; the computation is one fused
    ``scaled_dot_product_attention``, which never stores the attention matrix.

    Args:
        channels: C.
        heads: number of heads; divides C.
        dropout: of the attention weights, in training.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f'{heads} heads do not divide {channels} channels')
        reference = nn.MultiheadAttention(channels, heads)
        self.in_proj_weight = reference.in_proj_weight
        self.in_proj_bias = reference.in_proj_bias
        self.out_proj = nn.Linear(channels, channels)
        nn.init.zeros_(self.out_proj.bias)
        self.heads = heads
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor, attend: Tensor | None) -> Tensor:
        """Attend among (B, N, C) tokens; ``attend`` is (B, 1, 1, N) bool, True where a key is real, or None for all."""
        batch, length, channels = tokens.shape
        split = 2 * channels
        queries_keys = F.linear(tokens + positions, self.in_proj_weight[:split], self.in_proj_bias[:split])
        values = F.linear(tokens, self.in_proj_weight[split:], self.in_proj_bias[split:])
        query, key = queries_keys.view(batch, length, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        value = values.view(batch, length, self.heads, -1).transpose(1, 2)
        mixed = self._mix(query, key, value, attend)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, channels))
        return projected

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        rate = self.dropout.rate if self.training else 0.0
        if rate == 0 or query.device.type != 'cpu':
            return F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=rate)
        # With dropout the CPU has no fused kernel either; written out, the mask can be drawn faster.
        scores = query @ key.transpose(-2, -1) * query.shape[-1]**-0.5
        if attend is not None:
            scores = scores.masked_fill(~attend, -torch.inf)
        mixed: Tensor = self.dropout(scores.softmax(dim=-1).to(value.dtype)) @ value
        return mixed


class PostNormEncoderLayer(nn.Module):
    """Self-attention and a two-layer network, each followed by addition and layer norm.

    Args:
        channels: C.
        heads: number of attention heads.
        feedforward: hidden width of the two-layer network.
        dropout: after attention, after the hidden layer and after the second layer.
    """

    def __init__(self, channels: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels, heads, dropout)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor, attend: Tensor | None) -> Tensor:
        """Transform (B, N, C) tokens; arguments as in ``SelfAttention``."""
        tokens = self.norm1(tokens + self.dropout(self.self_attn(tokens, positions, attend)))
        hidden = self.dropout(F.relu(self.linear1(tokens)))
        normed: Tensor = self.norm2(tokens + self.dropout(self.linear2(hidden)))
        return normed


class TransformerEncoder(nn.Module):
    """A stack of post-norm layers; positions are added anew in each, padded tokens are never attended to.

    Args:
        num_layers: may be 0, which leaves the tokens as they are.
        channels: C.
        heads: number of attention heads.
        feedforward: hidden width of each layer's two-layer network.
        dropout: in [0, 1).
    """

    def __init__(self, num_layers: int, channels: int, heads: int = 8, feedforward: int = 2048, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PostNormEncoderLayer(channels, heads, feedforward, dropout) for _ in range(num_layers))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, tokens: Tensor, positions: Tensor, padding: Tensor | None) -> Tensor:
        """Transform (B, N, C) tokens.

        Args:
            tokens: (B, N, C).
            positions: (B, N, C) or (1, N, C).
            padding: (B, N) bool, True where the token is padding; None where there is none.
        """
        attend = None if padding is None else ~padding[:, None, None, :]
        for layer in self.layers:
            tokens = layer(tokens, positions, attend)
        return tokens
