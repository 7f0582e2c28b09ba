"""Fusion of text and visual tokens in one sequence, as TransVG and its descendants have it."""
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.kept_tokens import take_rows
from mmduet.models.layers.transformer import TransformerEncoder


def tokens_to_map(tokens: Tensor, feature_size: torch.Size) -> Tensor:
    """(B, C, H, W) map of (B, H * W, C) visual tokens in rows."""
    return tokens.transpose(1, 2).unflatten(2, feature_size)


@dataclass(frozen=True, slots=True)
class FusedTokens:
    """What fusion gives.

    Attributes:
        query: (B, C) fused query.
        visual: (B, n, C) fused visual tokens, all N or those asked for.
        taken: (B, n, C) those that the last layer takes, which the query reads.
        attention: (B, n) float32 weights by which it reads them; they sum to at most 1, as it reads the text too. None where
            they were not asked for.
    """

    query: Tensor
    visual: Tensor
    taken: Tensor
    attention: Tensor | None

    @property
    def of_tokens(self) -> tuple[Tensor, ...]:
        """(B, n, ...) what there is for each visual token: ``visual``, ``taken`` and the weights, if there are any."""
        return (self.visual, self.taken) if self.attention is None else (self.visual, self.taken, self.attention[..., None])


def fuse_tokens(encoder: TransformerEncoder, query_token: nn.Embedding, positions: nn.Embedding, visual: Tensor,
                visual_padding: Tensor, text: Tensor, text_padding: Tensor, attention: bool = False,
                index: Tensor | None = None) -> FusedTokens:
    """Attend over the sequence ``[query, text tokens, visual tokens]`` with learnt positions.

    A batch of short expressions has fewer than L text tokens, and each keeps its position, so boxes are those of the padded
    sequence.

    Args:
        encoder: of C channels.
        query_token: (1, C).
        positions: (1 + L + N, C).
        visual: (B, N, C).
        visual_padding: (B, n) bool, True where the token is padding.
        text: (B, L', C), L' at most L.
        text_padding: (B, L') bool, True where there is no token.
        attention: also give the weights by which the query reads the visual tokens in the last layer.
        index: (B, n) int64, the visual tokens that are fused, each with its own position; None for all.

    Raises:
        ValueError: attention is asked of an encoder without layers.
    """
    batch, length = text.shape[:2]
    query = query_token.weight.to(text.dtype).expand(batch, 1, -1)
    table = positions.weight
    places = table[len(table) - visual.shape[1]:]
    if index is None:
        used = torch.cat([table[:1 + length], places])[None]
    else:
        visual = take_rows(visual, index)
        used = torch.cat([table[:1 + length].expand(batch, -1, -1), F.embedding(index, places)], dim=1)
    padding = torch.cat([text_padding.new_zeros(batch, 1), text_padding, visual_padding], dim=1)
    taken = [torch.cat([query, text, visual], dim=1)]
    fused = encoder(taken[0], used, padding, taken)
    weights = None
    if attention:
        if not encoder.layers:
            raise ValueError('a fusion without layers has no attention')
        last: Any = encoder.layers[-1]
        weights = last.attention(taken[-1], used, ~padding[:, None, None, :])[:, 1 + length:]
    return FusedTokens(fused[:, 0], fused[:, 1 + length:], taken[-1][:, 1 + length:], weights)
