"""Leaving visual tokens that are padding out of a transformer, and putting those that it encoded back on their map."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmduet.structures import GroundingBatch

# Images are encoded in at most so many parts, each with as many tokens as its fullest image has: of images between 0.3 and 1
# full, as they are in training, one part would encode nearly all, four do two thirds. Of fewer images a part is not worth it.
MOST_PARTS, LEAST_IMAGES = 4, 2


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """Which visual tokens of maps of (H, W) a transformer encodes: those of the rows and columns that show the image.

    Every map keeps n tokens, its own, wherever its image lies. A transformer that masks padding has the same answers without
    the others: nothing reads them, and a token brings its position along, which is that of the whole map. What reads maps,
    boxes on the canvas in hand, gets whole ones: no frame has changed, so pooling, score heads and export are as they were.
    Outside the image such a map shows its border, as ``pool_regions`` has it outside the map: what a transformer gives for
    padding means nothing and would depend on whether the batch left the token out.

    Attributes:
        images: (u,) int64, the maps of a batch that this is about; None for all.
        index: (u, n) int64, the tokens in rows, each once; where an image has fewer, its last fills up. None for all.
        padding: (u, n) bool, True at one that nothing attends to, or fills up.
        source: (u, H * W) int64, which of the n tokens each position of the whole map shows.
    """

    images: Tensor | None
    index: Tensor | None
    padding: Tensor
    source: Tensor

    def pick(self, rows: Tensor) -> Tensor:
        """(u, ...) of (U, ...): what belongs to the images of this part."""
        return rows if self.images is None else rows.index_select(0, self.images)

    def take(self, tokens: Tensor) -> Tensor:
        """(u, n, C) tokens that are kept of (U, H * W, C)."""
        tokens = self.pick(tokens)
        return tokens if self.index is None else take_rows(tokens, self.index)

    def put_back(self, tokens: Tensor) -> Tensor:
        """(u, H * W, C) whole maps of (u, n, C) kept tokens, whose border continues outside the image."""
        return take_rows(tokens, self.source)


Parts = Sequence[KeptTokens]


def take_rows(tokens: Tensor, index: Tensor) -> Tensor:
    """(B, n, C) rows by a (B, n) index out of (B, N, C)."""
    rows = torch.arange(tokens.shape[0], device=index.device)[:, None] * tokens.shape[1] + index
    # By one axis of rows, which a processor copies whole: by two, it looks up every number.
    taken = tokens.reshape(-1, tokens.shape[2]).gather(0, rows.reshape(-1, 1).expand(-1, tokens.shape[2]))
    return taken.view(index.shape[0], index.shape[1], tokens.shape[2])


def in_parts(parts: Parts, encode: Callable[[KeptTokens], tuple[Tensor, ...]]) -> list[Tensor]:
    """What ``encode`` gives for each part, (u, ...) tensors, as (U, ...) in the order of the batch."""
    encoded = [encode(part) for part in parts]
    if parts[0].images is None:
        return list(encoded[0])
    back = torch.cat([part.images for part in parts if part.images is not None]).argsort()
    return [torch.cat(pieces).index_select(0, back) for pieces in zip(*encoded, strict=True)]


def keep_tokens(padding: Tensor, counts: Sequence[int] | None = None) -> Parts:
    """Choose the tokens of (U, H, W) bool padding.

    Args:
        counts: n of each part, from ``count_kept``; None for one part that keeps all.
    """
    used = _used(padding, 2)[1] * _used(padding, 1)[1]
    if counts is None or len(counts) == 1:
        return [_keep(None, padding, None if counts is None else counts[0])]
    order, size = used[:, 0].argsort(stable=True), part_size(len(padding))
    parts = [order[size * number:size * (number + 1)] for number in range(len(counts))]
    return [_keep(images, padding[images], count) for images, count in zip(parts, counts, strict=True)]


def keep_of(batch: GroundingBatch, padding: Tensor) -> tuple[Parts | None, Parts | None]:
    """The visual tokens to encode of the U images of a batch, of (U, H, W) padding, and of its B expressions.

    None where no canvas has padding. Of a batch that does not count its tokens all are encoded.
    """
    if not batch.has_padding:
        return None, None
    images = keep_tokens(padding, batch.kept_of_images)
    return images, images if batch.shared_index is None else keep_tokens(batch.expand(padding), batch.kept_of_expressions)


def _keep(images: Tensor | None, padding: Tensor, count: int | None) -> KeptTokens:
    """Choose the tokens of one part, whose (u, H, W) padding is given; n is ``count``, or all."""
    width = padding.shape[2]
    (top, rows), (left, columns) = _used(padding, 2), _used(padding, 1)
    # Of each row and column of the map the nearest that shows the image.
    nearest_row, nearest_column = (
        torch.minimum(torch.maximum(torch.arange(side, device=padding.device)[None], first), first + number - 1)
        for side, first, number in ((padding.shape[1], top, rows), (width, left, columns)))
    if count is None:
        source = nearest_row[:, :, None] * width + nearest_column[:, None]
        return KeptTokens(images, None, padding.flatten(1), source.flatten(1))
    source = (nearest_row - top)[:, :, None] * columns[:, :, None] + (nearest_column - left)[:, None]
    place = torch.arange(count, device=padding.device)[None]
    real = torch.minimum(place, rows * columns - 1)
    index = (top + torch.div(real, columns, rounding_mode='floor')) * width + left + real % columns
    return KeptTokens(images, index, padding.flatten(1).gather(1, index) | (place > real), source.flatten(1))


def _used(padding: Tensor, across: int) -> tuple[Tensor, Tensor]:
    """(U, 1) first of the rows (``across`` = 2) or columns (1) that are not all padding, and how many there are."""
    used = (~padding).any(dim=across).int()
    return used.argmax(dim=1, keepdim=True), used.sum(dim=1, keepdim=True)


def part_size(images: int) -> int:
    """Of how many images a part is."""
    return max(LEAST_IMAGES, -(-images // MOST_PARTS))


def count_kept(padding: Tensor) -> tuple[int, ...] | None:
    """How many tokens each map of a part must keep, part by part, for (U, H, W) bool padding on the CPU; None for all.

    The emptiest images make the first part. A number is rounded up to whole rows of the map, H at most, so that a training
    repeats those that it has seen: a compiled model and an allocator of memory know them.
    """
    width, most = padding.shape[2], padding[0].numel()
    used = sorted((_used(padding, 2)[1] * _used(padding, 1)[1])[:, 0].tolist())
    size = part_size(len(used))
    counts = tuple(min(-(-max(used[start:start + size]) // width) * width, most) for start in range(0, len(used), size))
    return None if min(counts) == most else counts
