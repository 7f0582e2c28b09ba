"""Fusion of words and cells in one sequence, as TransVG and its descendants have it."""
import torch
from torch import Tensor, nn

from mmduet.models.layers.transformer import TransformerEncoder


def tokens_to_map(tokens: Tensor, feature_size: torch.Size) -> Tensor:
    """(B, C, H, W) map of (B, H * W, C) visual tokens in rows."""
    return tokens.transpose(1, 2).unflatten(2, feature_size)


def fuse_tokens(encoder: TransformerEncoder, query_token: nn.Embedding, positions: nn.Embedding, cells: Tensor,
                cell_padding: Tensor, words: Tensor, word_padding: Tensor) -> tuple[Tensor, Tensor]:
    """Attend over the sequence ``[query, words, cells]`` with learnt positions.

    A batch of short expressions brings fewer words than the table of positions has places for: a word keeps its position
    whatever the length, so boxes are those of the padded sequence.

    Args:
        encoder: of C channels.
        query_token: (1, C).
        positions: (1 + L + N, C).
        cells: (B, N, C).
        cell_padding: (B, N) bool, True where the cell is padding.
        words: (B, L', C), L' at most L.
        word_padding: (B, L') bool, True where there is no word.

    Returns:
        The (B, C) token that the answer is read from, and the (B, N, C) cells.
    """
    batch, length = words.shape[:2]
    token = query_token.weight.to(words.dtype).expand(batch, 1, -1)
    table = positions.weight
    places = torch.cat([table[:1 + length], table[len(table) - cells.shape[1]:]])[None]
    padding = torch.cat([word_padding.new_zeros(batch, 1), word_padding, cell_padding], dim=1)
    fused = encoder(torch.cat([token, words, cells], dim=1), places, padding)
    return fused[:, 0], fused[:, 1 + length:]
