"""Multi-head attention whose positions enter queries and keys but not values, as in DETR (Carion et al. 2020)."""
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Projections and mixing that all attentions share: C ``channels``, ``dropout`` of the attention weights in training.

    Parameters are named and shaped as in ``nn.MultiheadAttention``; the computation is one fused
    ``scaled_dot_product_attention``, which never stores the attention matrix.

    Raises:
        ValueError: the heads do not divide the channels.
    """

    linear: Callable[..., Tensor] = staticmethod(F.linear)

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
        self.dropout = dropout

    def project(self, tokens: Tensor, start: int, stop: int) -> Tensor:
        """(stop - start, B, heads, N, C / heads) projections of (B, N, C) tokens: 0 is the query, 1 the key, 2 the value."""
        size = len(self.in_proj_weight) // 3
        rows = slice(start * size, stop * size)
        projected = self.linear(tokens, self.in_proj_weight[rows], self.in_proj_bias[rows])
        return projected.unflatten(2, (-1, self.heads, size // self.heads)).permute(2, 0, 3, 1, 4)

    def join(self, mixed: Tensor) -> Tensor:
        """(B, M, C): the (B, heads, M, C / heads) averages of all heads side by side, projected."""
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        """(B, M, C) projected averages of (B, heads, N, C / heads) values.

        Queries are (B, heads, M, D), keys (B, heads, N, D); ``attend`` is as in ``TokenAttention``.
        """
        rate = self.dropout if self.training else 0.0
        return self.join(F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=rate,
                                                        scale=value.shape[-1]**-0.5))


class TokenAttention(Attention):
    """Attention of one sequence to another, or among the tokens of one."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        """Let (B, M, C) queries attend to (B, N, C) keys and average the values.

        ``attend`` is (B, 1, 1, N) bool, True where a key is real, or None for all.
        """
        if query is key:
            queries, keys, values = *self.project(query, 0, 2), *self.project(value, 2, 3)
        elif key is value:
            queries, keys, values = *self.project(query, 0, 1), *self.project(key, 1, 3)
        else:
            queries, keys, values = (self.project(given, k, k + 1)[0] for k, given in enumerate((query, key, value)))
        return self.mix(queries, keys, values, attend)

    def weights(self, query: Tensor, key: Tensor, attend: Tensor | None) -> Tensor:
        """(B, M, N) float32 attention weights, the mean over the heads: each row sums to 1, without dropout.

        Arguments as in ``forward``, which never stores them.
        """
        queries, keys = self.project(query, 0, 1)[0].float(), self.project(key, 1, 2)[0].float()
        scores = queries @ keys.mT * keys.shape[-1]**-0.5
        if attend is not None:
            scores = scores.masked_fill(~attend, -torch.inf)
        return scores.softmax(dim=-1).mean(dim=1)


class RelativePositionAttention(Attention):
    """Attention among the visual tokens of a square map that knows where a key lies relative to its query (VLTVG).

    A key is compared as itself plus the sine embedding of the offset from it to the query, both projected by the key weights.
    The embedding is that of the vertical and of the horizontal offset side by side, so the offsets add one number per query
    and row of the map and one per query and column, and no (N, N, C) tensor is needed.

    Args:
        channels: C; a multiple of 4.
        heads, dropout: see ``Attention``.
        feature_size: side of the map.
    """

    pos_x: Tensor
    pos_y: Tensor
    one_hot: Tensor

    def __init__(self, channels: int, heads: int, dropout: float, feature_size: int) -> None:
        super().__init__(channels, heads, dropout)
        self.feature_size = feature_size
        # In the checkpoint, as the authors have them: weights of another feature size do not load.
        self.register_buffer('pos_x', relative_sine_table(feature_size, channels // 2))
        self.register_buffer('pos_y', relative_sine_table(feature_size, channels // 2))
        eye = torch.eye(feature_size)
        rows, columns = eye.repeat_interleave(feature_size, dim=0), eye.repeat(feature_size, 1)
        self.register_buffer('one_hot', torch.cat([rows, columns], dim=1), persistent=False)

    def forward(self, tokens: Tensor, values: Tensor, padding: Tensor | None) -> Tensor:
        """Attend among (B, N, C) visual tokens, row by row, and average their (B, N, C) values.

        ``padding`` is (B, N) bool, True around a rectangle of real tokens, from whose corner offsets are counted; or None.

        Raises:
            ValueError: N is not the square of the feature size.
        """
        batch, count = tokens.shape[:2]
        if count != self.feature_size**2:
            raise ValueError(f'{count} visual tokens for positions of a map of {self.feature_size} x {self.feature_size}: '
                             'set feature_size to the side of the map, or take images of another size')
        query, key = self.project(tokens, 0, 2)
        to_rows, to_columns = self._offsets(padding)
        # Numbers of the offset to every row and column, and ones in each key where its row and column are.
        by_row = self._compare(query, to_rows, self.pos_y, 0)
        by_column = self._compare(query, to_columns, self.pos_x, 1)
        query = torch.cat([query, by_row, by_column], dim=-1)
        key = torch.cat([key, self.one_hot.to(key.dtype).expand(batch, self.heads, -1, -1)], dim=-1)
        attend = None if padding is None else ~padding[:, None, None, :]
        return self.mix(query, key, self.project(values, 2, 3)[0], attend)

    def _offsets(self, padding: Tensor | None) -> tuple[Tensor, Tensor]:
        """Two (B or 1, N, feature_size) rows of the table: from each row of the map to each token, and from each column."""
        real = self.pos_x.new_ones(1, self.feature_size**2) if padding is None else ~padding
        real = real.long().unflatten(1, (self.feature_size, self.feature_size))
        y, x = real.cumsum(dim=1), real.cumsum(dim=2)
        to_rows = y.flatten(1)[:, :, None] - y.amax(dim=2)[:, None]
        to_columns = x.flatten(1)[:, :, None] - x.amax(dim=1)[:, None]
        return to_rows + self.feature_size, to_columns + self.feature_size

    def _compare(self, query: Tensor, offsets: Tensor, table: Tensor, half: int) -> Tensor:
        """(B, heads, N, feature_size) products of queries with their embedded offsets; ``half`` of the channels is the axis."""
        weight = self.in_proj_weight.chunk(3)[1].chunk(2, dim=1)[half]
        embedded = F.linear(table.to(weight.dtype), weight).unflatten(1, (self.heads, -1)).transpose(0, 1)
        products = query @ embedded.transpose(1, 2).to(query.dtype)
        return products.gather(3, offsets[:, None].expand(*products.shape[:3], -1))


def relative_sine_table(feature_size: int, channels: int, temperature: float = 10000.0) -> Tensor:
    """(2 * feature_size + 1, channels) sine and cosine, in turn, of the offsets -feature_size to feature_size, 2 pi a map."""
    offsets = torch.arange(-feature_size, feature_size + 1, dtype=torch.float64) * (2 * math.pi / feature_size)
    waves = temperature**(torch.arange(0, channels, 2, dtype=torch.float64) / channels)
    angles = offsets[:, None] / waves
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).float()
