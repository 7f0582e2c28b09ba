"""MMDetection's Swin, computed with fewer passes over memory: parameters, their names and the answers are its own."""
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.dense import dense, speed_up_linears

# As Swin has it: far enough below zero to be nothing after the exponential.
OTHER_SIDE = -100.0
# Intermediate numbers, of the hidden layer of a two-layer network or of scores, that are worked on at once where nothing is
# learnt: 16 MB in float32. The largest would come from fresh pages of the system at every call.
HIDDEN_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class WindowLayout:
    """How the cells of an H x W map lie in windows of P cells, after padding and a cyclic shift.

    Attributes:
        cells: (M,) int64, the cell at each place of the M / P windows, one window after the other; any cell at padding.
        padding: (K,) int64, the places that are padding.
        places: (H * W,) int64, the place of each cell.
        mask: (M / P, 1, P, P) float32 to add to the scores, 0 or ``OTHER_SIDE`` where the shift brought together what is not
            close; None without a shift.
    """

    cells: Tensor
    padding: Tensor
    places: Tensor
    mask: Tensor | None

    def divide(self, tokens: Tensor) -> Tensor:
        """(B, M, C) places, in order of the windows, of (B, H * W, C) cells; zero at padding."""
        places = tokens.index_select(1, self.cells)
        return places.index_fill_(1, self.padding, 0) if len(self.padding) else places

    def join(self, places: Tensor) -> Tensor:
        """(B, H * W, C) cells of (B, M, C) places."""
        return places.index_select(1, self.places)


@lru_cache(maxsize=32)
def window_layout(height: int, width: int, window: int, shift: int, device: torch.device) -> WindowLayout:
    """Lay a map out in square windows, padded at the right and at the bottom, then shifted up and left.

    Args:
        height, width: of the map, cells.
        window: side of a window, cells.
        shift: cells.
        device: of the result.
    """
    # The first call may be one that learns nothing; what it leaves here must serve those that do.
    with torch.inference_mode(False), torch.no_grad():
        rows, columns = -(-height // window) * window, -(-width // window) * window
        cells = F.pad(torch.arange(height * width, device='cpu').view(height, width),
                      (0, columns - width, 0, rows - height), value=-1)
        cells = _windows(cells.roll((-shift, -shift), dims=(0, 1)), window)
        real = (cells.flatten() >= 0).nonzero()[:, 0]
        places = torch.empty(height * width, dtype=torch.int64, device='cpu')
        places[cells.flatten()[real]] = real
        mask = None
        if shift:
            # Of the last windows the cells that came round are apart from the rest, and both from other windows.
            edges = torch.tensor([window, shift], device='cpu')
            top, left = ((torch.arange(size, device='cpu')[:, None] >= size - edges).sum(dim=1) for size in (rows, columns))
            regions = _windows(3 * top[:, None] + left, window)
            apart = regions[:, None, :, None] != regions[:, None, None, :]
            mask = (apart * OTHER_SIDE).to(device)
        return WindowLayout(cells.flatten().clamp(min=0).to(device), (cells.flatten() < 0).nonzero()[:, 0].to(device),
                            places.to(device), mask)


def _windows(grid: Tensor, window: int) -> Tensor:
    """(windows, cells of a window) of an (H, W) grid that windows fill."""
    rows, columns = grid.shape[0] // window, grid.shape[1] // window
    return grid.view(rows, window, columns, window).transpose(1, 2).reshape(rows * columns, window**2)


class ShiftedWindowAttention(nn.Module):
    """MMDetection's ``ShiftWindowMSA`` with one copy into windows and one out of them, a mask made once, and fused attention.

    Args:
        attention: the ``ShiftWindowMSA`` whose parts this one takes.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.w_msa = attention.w_msa
        self.drop = attention.drop
        self.window: int = attention.window_size
        self.shift: int = attention.shift_size

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend among the (B, H * W, C) cells of a map of (H, W), window by window."""
        parts, (batch, _, channels) = self.w_msa, query.shape
        layout = window_layout(*hw_shape, self.window, self.shift, query.device)
        windows = layout.divide(query).view(-1, self.window**2, channels)
        split = parts.qkv(windows).view(*windows.shape[:2], 3, parts.num_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        rate = parts.attn_drop.p if self.training else 0.0
        mixed = attend_in_windows(query, key, value, self._scores(layout, batch).to(query.dtype), rate, parts.scale)
        cells = layout.join(mixed.transpose(1, 2).reshape(batch, -1, channels))
        attended: Tensor = self.drop(parts.proj_drop(parts.proj(cells)))
        return attended

    def _scores(self, layout: WindowLayout, batch: int) -> Tensor:
        """(1 or windows, heads, P, P) what the offset between two cells, and the mask, add to their score."""
        index, table = self.w_msa.relative_position_index, self.w_msa.relative_position_bias_table
        scores = table.t().index_select(1, index.flatten()).unflatten(1, index.shape)[None]
        if layout.mask is None:
            return scores
        scores = scores + layout.mask
        return scores if batch == 1 else scores.repeat(batch, 1, 1, 1)


def attend_in_windows(query: Tensor, key: Tensor, value: Tensor, scores: Tensor, rate: float, scale: float) -> Tensor:
    """Fused attention; by two products of matrices where that is faster.

    A window has few cells, and the fused kernel of the CPU gains next to nothing by a second thread there.

    Args:
        query, key, value: (windows, heads, P, D).
        scores: (1 or windows, heads, P, P), added to those of query and key.
        rate: of dropout.
        scale: of the products of query and key.

    Returns:
        (windows, heads, P, D).
    """
    windows, heads, cells, _ = query.shape
    small = windows * heads * cells**2 <= HIDDEN_AT_ONCE
    if torch.is_grad_enabled() or rate or not small or query.device.type != 'cpu' or torch.get_num_threads() == 1:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=scores, dropout_p=rate, scale=scale)
    added = scores.expand(windows, -1, -1, -1).flatten(0, 1)
    products = torch.baddbmm(added, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=scale)
    return (products.softmax(dim=-1) @ value.flatten(0, 1)).unflatten(0, (windows, heads))


class PiecewiseFFN(nn.Module):
    """MMCV's ``FFN`` with an identity connection, in pieces of tokens where nothing is learnt.

    Args:
        ffn: the ``FFN`` whose parts this one takes.
    """

    def __init__(self, ffn: Any) -> None:
        super().__init__()
        self.layers = ffn.layers
        self.dropout_layer = ffn.dropout_layer
        self.hidden: int = ffn.feedforward_channels

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        """(B, N, C) ``identity`` and what the network makes of (B, N, C) tokens."""
        if self.training or torch.is_grad_enabled() or x.shape[0] * x.shape[1] * self.hidden <= HIDDEN_AT_ONCE:
            mapped: Tensor = identity + self.dropout_layer(self.layers(x))
            return mapped
        output = torch.empty_like(identity)
        size = max(1, HIDDEN_AT_ONCE // self.hidden)
        for piece, kept, into in zip(*(rows.flatten(0, 1).split(size) for rows in (x, identity, output)), strict=True):
            torch.add(kept, self.layers(piece), out=into)
        return output


class WholePatchMerging(nn.Module):
    """MMDetection's ``PatchMerging`` of 2 x 2 cells, which copies cells whole and not number by number.

    The four cells lie one after the other here, and channel by channel in the weights; so these are reordered, being smaller.

    Args:
        merging: the ``PatchMerging`` whose parts this one takes.
    """

    def __init__(self, merging: Any) -> None:
        super().__init__()
        self.norm = merging.norm
        self.reduction = merging.reduction

    def forward(self, x: Tensor, input_size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """(B, N, O) and its size for a (B, H * W, C) map of (H, W), of which a last odd row or column is merged with zeros."""
        height, width = (size + size % 2 for size in input_size)
        cells = x.unflatten(1, input_size)
        if (height, width) != tuple(input_size):
            cells = F.pad(cells, (0, 0, 0, width - input_size[1], 0, height - input_size[0]))
        merged = cells.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3).flatten(1, 2)
        norm = self.norm
        normed = F.layer_norm(merged, norm.normalized_shape, _cell_by_cell(norm.weight), _cell_by_cell(norm.bias), norm.eps)
        return dense(normed, _cell_by_cell(self.reduction.weight), self.reduction.bias), (height // 2, width // 2)


def _cell_by_cell(weights: Tensor) -> Tensor:
    """(..., 4 * C) weights in the order of whole cells, from that of channels."""
    return weights.unflatten(-1, (-1, 4)).transpose(-1, -2).flatten(-2)


def speed_up_swin(backbone: Any) -> None:
    """Let every block of MMDetection's ``SwinTransformer``, and what lies between, compute by the modules above, in place."""
    for stage in backbone.stages:
        for block in stage.blocks:
            block.attn = ShiftedWindowAttention(block.attn)
            block.ffn = PiecewiseFFN(block.ffn)
        if stage.downsample is not None and stage.downsample.sampler.stride == (2, 2):
            stage.downsample = WholePatchMerging(stage.downsample)
    speed_up_linears(backbone)
