"""Gates on a map whose weights the expression writes: query-modulated dynamic attention (QRNet)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DynamicLinear(nn.Module):
    """A linear layer whose weights and bias are a product of what the query says and of a learnt basis.

    Args:
        query_channels: Q.
        in_channels: I.
        out_channels: O.
        rank: K; the query writes an (I + 1, K) factor of the (I + 1, O) weights, the bias in the last row.
    """

    def __init__(self, query_channels: int, in_channels: int, out_channels: int, rank: int) -> None:
        super().__init__()
        self.factor = nn.Linear(query_channels, (in_channels + 1) * rank)
        self.basis = nn.Parameter(torch.zeros(rank, out_channels))
        self.rank = rank

    def forward(self, tokens: Tensor, query: Tensor, scale: Tensor | None = None) -> Tensor:
        """(B, N, O) for (B, N, I) tokens, times a (B, 1, I) scale of their channels, and a (B, Q) query."""
        weights = self.factor(query).unflatten(1, (-1, self.rank)) @ self.basis
        matrix = weights[:, :-1] if scale is None else weights[:, :-1] * scale.transpose(1, 2)
        output: Tensor = torch.baddbmm(weights[:, -1:], tokens, matrix.to(tokens.dtype))
        return output


class QueryGate(nn.Module):
    """Weigh the channels of a map, then its cells, by what the query asks for.

    Every gate starts at one half. The authors start all bases at zero; of the hidden layer of the channel gate that would keep
    it from ever learning, as neither side of its rectifier has a gradient there, so it starts at random numbers here.

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
        """Gate (B, N, C) tokens by a (B, Q) query."""
        channels, cells = self.weigh(tokens, query)
        gated: Tensor = tokens * channels
        # What nothing is learnt from need not be kept, and the system's fresh pages are slow.
        return gated * cells if torch.is_grad_enabled() else gated.mul_(cells)

    def weigh(self, tokens: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, C) weights of the channels and (B, N, 1) of the cells, in 0 to 1, for (B, N, C) tokens and a (B, Q) query."""
        pooled = torch.stack([tokens.mean(dim=1), tokens.amax(dim=1)], dim=1)
        channels = self.channel_out(F.relu(self.channel_hidden(pooled, query)), query).sum(dim=1, keepdim=True).sigmoid()
        return channels, self.spatial(tokens, query, channels).sigmoid()
