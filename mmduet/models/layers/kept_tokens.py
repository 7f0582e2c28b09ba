"""Leaving visual tokens that are padding out of a transformer, and putting those that it encoded back on their map."""
from dataclasses import dataclass

import torch
from torch import Tensor

from mmduet.structures import expand_images


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """Which visual tokens of U maps of (H, W) a transformer encodes: those of the rows and columns that show the image.

    Every map keeps n tokens, its own, wherever its image lies. A transformer that masks padding has the same answers without
    the others: nothing reads them, and a token brings its position along, which is that of the whole map. What reads maps,
    boxes on the canvas in hand, gets whole ones: no frame has changed, so pooling, score heads and export are as they were.
    Outside the image such a map shows its border, as ``pool_regions`` has it outside the map: what a transformer gives for
    padding means nothing and would depend on whether the batch left the token out.

    Attributes:
        index: (U, n) int64, the tokens in rows, each once; where an image has fewer, its last fills up. None for all.
        padding: (U, n) bool, True at one that nothing attends to, or fills up.
        source: (U, H * W) int64, which of the n tokens each position of the whole map shows.
    """

    index: Tensor | None
    padding: Tensor
    source: Tensor

    def take(self, tokens: Tensor) -> Tensor:
        """(U, n, C) tokens that are kept of (U, H * W, C)."""
        return tokens if self.index is None else take_rows(tokens, self.index)

    def put_back(self, tokens: Tensor) -> Tensor:
        """(U, H * W, C) whole maps of (U, n, C) kept tokens, whose border continues outside the image."""
        return take_rows(tokens, self.source)

    def expand(self, image_index: Tensor | None) -> 'KeptTokens':
        """Those of the images of B expressions; see ``expand_images``."""
        index = None if self.index is None else expand_images(self.index, image_index)
        return KeptTokens(index, expand_images(self.padding, image_index), expand_images(self.source, image_index))


def take_rows(tokens: Tensor, index: Tensor) -> Tensor:
    """(B, n, C) rows by a (B, n) index out of (B, N, C)."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def keep_tokens(padding: Tensor, count: int | None = None) -> KeptTokens:
    """Choose the tokens of (U, H, W) bool padding.

    Args:
        count: n, from ``count_kept``; None to keep all.
    """
    width = padding.shape[2]
    (top, rows), (left, columns) = _used(padding, 2), _used(padding, 1)
    # Of each row and column of the map the nearest that shows the image.
    nearest_row, nearest_column = (
        torch.minimum(torch.maximum(torch.arange(side, device=padding.device)[None], first), first + number - 1)
        for side, first, number in ((padding.shape[1], top, rows), (width, left, columns)))
    if count is None:
        source = nearest_row[:, :, None] * width + nearest_column[:, None]
        return KeptTokens(None, padding.flatten(1), source.flatten(1))
    source = (nearest_row - top)[:, :, None] * columns[:, :, None] + (nearest_column - left)[:, None]
    place = torch.arange(count, device=padding.device)[None]
    real = torch.minimum(place, rows * columns - 1)
    index = (top + torch.div(real, columns, rounding_mode='floor')) * width + left + real % columns
    return KeptTokens(index, padding.flatten(1).gather(1, index) | (place > real), source.flatten(1))


def _used(padding: Tensor, across: int) -> tuple[Tensor, Tensor]:
    """(U, 1) first of the rows (``across`` = 2) or columns (1) that are not all padding, and how many there are."""
    used = (~padding).any(dim=across).int()
    return used.argmax(dim=1, keepdim=True), used.sum(dim=1, keepdim=True)


def count_kept(padding: Tensor) -> int | None:
    """How many tokens each map must keep, rounded up to whole rows, for (U, H, W) bool padding on the CPU; None for all.

    Whole rows, since a compiled model is compiled anew for a number that it has not seen: there are H at most.
    """
    used = _used(padding, 2)[1] * _used(padding, 1)[1]
    width, most = padding.shape[2], padding[0].numel()
    count = -(-int(used.max()) // width) * width
    return None if count >= most else count
