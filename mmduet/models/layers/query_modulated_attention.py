"""Weights on a map that the expression determines: query-modulated dynamic attention (QRNet, section 3.2)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DynamicLinear(nn.Module):
    """A linear layer whose (I + 1, O) weights, the bias in the last row, are an (I + 1, rank) factor times a learnt basis.

    The factor is a linear function of the query of Q channels.
    """

    def __init__(self, query_channels: int, in_channels: int, out_channels: int, rank: int) -> None:
        super().__init__()
        self.factor = nn.Linear(query_channels, (in_channels + 1) * rank)
        self.basis = nn.Parameter(torch.zeros(rank, out_channels))
        self.rank = rank

    def weights(self, query: Tensor) -> Tensor:
        """(B, I + 1, O) weights, the bias in the last row, for (B, Q) queries."""
        return self.factor(query).unflatten(1, (-1, self.rank)) @ self.basis

    def forward(self, tokens: Tensor, query: Tensor) -> Tensor:
        """(B, N, O) for (B, N, I) tokens and a (B, Q) query."""
        weights = self.weights(query)
        return torch.baddbmm(weights[:, -1:], tokens, weights[:, :-1].to(tokens.dtype))


class QueryModulatedAttention(nn.Module):
    """Weigh the channels of a map, then its positions, by the query.

    Every weight starts at one half. The authors start all bases at zero; that would keep the hidden layer of the channel gate
    from ever learning, as neither side of its rectifier has a gradient there, so it starts at random numbers here.

    Args:
        channels: C.
        query_channels: Q.
        reduction: the hidden layer of the channel gate has C / reduction channels.
        rank: of the dynamic layers.
    """

    def __init__(self, channels: int, query_channels: int, reduction: int = 16, rank: int = 30) -> None:
        super().__init__()
        hidden = channels // reduction
        self.channel_hidden = DynamicLinear(query_channels, channels, hidden, rank)
        self.channel_out = DynamicLinear(query_channels, hidden, channels, rank)
        self.spatial = DynamicLinear(query_channels, channels, 1, rank)
        nn.init.normal_(self.channel_hidden.basis, std=channels**-0.5)

    def forward(self, tokens: Tensor, query: Tensor) -> Tensor:
        """Weigh (B, N, C) tokens by a (B, Q) query."""
        tokens = tokens * self.channel_gate(tokens, query)
        return tokens * self.spatial(tokens, query).sigmoid()

    def channel_gate(self, tokens: Tensor, query: Tensor) -> Tensor:
        """(B, 1, C) weights of the channels in (0, 1), from the mean and the maximum over the (B, N, C) tokens."""
        pooled = torch.stack([tokens.mean(dim=1), tokens.amax(dim=1)], dim=1)
        weights: Tensor = self.channel_out(F.relu(self.channel_hidden(pooled, query)), query)
        return weights.sum(dim=1, keepdim=True).sigmoid()
