"""MMDetection's Swin, computed with fewer passes over memory."""
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.backbones.swin import ShiftWindowMSA
from mmdet.models.layers import PatchMerging
from torch import Tensor, nn

from mmduet.models.cpu.linear import linear

OTHER_SIDE = -100.0  # added to scores, as Swin has it
# Intermediate numbers (hidden features, scores) worked on at once where nothing is learnt: 16 MB in float32. The largest would
# come from fresh pages of the system at every call.
AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class WindowLayout:
    """How the H * W tokens of a map lie in M / P windows of P slots, after padding and a cyclic shift."""

    tokens: Tensor  # (M,) int64, the token in each slot, one window after the other; any token at padding
    padding: Tensor  # (K,) int64, the slots that are padding
    slots: Tensor  # (H * W,) int64, the slot of each token
    mask: Tensor | None  # (M / P, 1, P, P), added to scores: ``OTHER_SIDE`` where a shift joined what is not close; or None

    def divide(self, tokens: Tensor) -> Tensor:
        """(B, M, C) slots, in order of the windows, of (B, H * W, C) tokens; zero at padding."""
        slots = tokens.index_select(1, self.tokens)
        return slots.index_fill_(1, self.padding, 0) if len(self.padding) else slots

    def join(self, slots: Tensor) -> Tensor:
        """(B, H * W, C) tokens of (B, M, C) slots."""
        return slots.index_select(1, self.slots)


@lru_cache(maxsize=32)
def window_layout(height: int, width: int, window: int, shift: int) -> WindowLayout:
    """Lay a map out in square windows, padded at the right and at the bottom, then shifted up and left; all in tokens."""
    # The first call may be one that learns nothing; what it leaves here must serve those that do.
    with torch.inference_mode(False), torch.no_grad():
        rows, columns = -(-height // window) * window, -(-width // window) * window
        numbers = F.pad(torch.arange(height * width).view(height, width), (0, columns - width, 0, rows - height), value=-1)
        tokens = _windows(numbers.roll((-shift, -shift), dims=(0, 1)), window).flatten()
        real = (tokens >= 0).nonzero()[:, 0]
        slots = torch.empty(height * width, dtype=torch.int64)
        slots[tokens[real]] = real
        mask = None
        if shift:
            # Of the last windows the tokens that came round are apart from the rest, and both from other windows.
            edges = torch.tensor([window, shift])
            top, left = ((torch.arange(size)[:, None] >= size - edges).sum(dim=1) for size in (rows, columns))
            regions = _windows(3 * top[:, None] + left, window)
            apart = regions[:, None, :, None] != regions[:, None, None, :]
            mask = apart * OTHER_SIDE
        return WindowLayout(tokens.clamp(min=0), (tokens < 0).nonzero()[:, 0], slots, mask)


def _windows(numbers: Tensor, window: int) -> Tensor:
    """(windows, window * window) of an (H, W) map that windows fill."""
    return numbers.unflatten(1, (-1, window)).unflatten(0, (-1, window)).transpose(1, 2).reshape(-1, window**2)


class CPUShiftWindowMSA(ShiftWindowMSA):
    """``ShiftWindowMSA`` with one copy into windows and one out of them, a mask made once, and fused attention."""

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend among the (B, H * W, C) tokens of a map of (H, W), window by window."""
        attended: Tensor
        if query.device.type != 'cpu':
            attended = super().forward(query, hw_shape)
            return attended
        parts, (batch, _, channels) = self.w_msa, query.shape
        layout = window_layout(*hw_shape, self.window_size, self.shift_size)
        windows = layout.divide(query).view(-1, self.window_size**2, channels)
        split = parts.qkv(windows).view(*windows.shape[:2], 3, parts.num_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        rate = parts.attn_drop.p if self.training else 0.0
        mixed = attend_in_windows(query, key, value, self._scores(layout, batch).to(query.dtype), rate, parts.scale)
        tokens = layout.join(mixed.transpose(1, 2).reshape(batch, -1, channels))
        attended = self.drop(parts.proj_drop(parts.proj(tokens)))
        return attended

    def _scores(self, layout: WindowLayout, batch: int) -> Tensor:
        """(1 or windows, heads, P, P) what the offset between two tokens, and the mask, add to their score."""
        index, table = self.w_msa.relative_position_index, self.w_msa.relative_position_bias_table
        scores = table.t().index_select(1, index.flatten()).unflatten(1, index.shape)[None]
        if layout.mask is None:
            return scores
        scores = scores + layout.mask
        return scores if batch == 1 else scores.repeat(batch, 1, 1, 1)


def attend_in_windows(query: Tensor, key: Tensor, value: Tensor, scores: Tensor, rate: float, scale: float) -> Tensor:
    """Fused attention of (windows, heads, P, D) queries, keys and values; by two products of matrices where that is faster.

    A window has few tokens, and the fused kernel of the CPU gains next to nothing by a second thread there. ``scores`` are
    (1 or windows, heads, P, P), added to those of query and key; ``rate`` is that of dropout.
    """
    windows, heads, tokens, _ = query.shape
    small = windows * heads * tokens**2 <= AT_ONCE
    if torch.is_grad_enabled() or rate or not small or torch.get_num_threads() == 1:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=scores, dropout_p=rate, scale=scale)
    added = scores.expand(windows, -1, -1, -1).flatten(0, 1)
    products = torch.baddbmm(added, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=scale)
    return (products.softmax(dim=-1) @ value.flatten(0, 1)).unflatten(0, (windows, heads))


class CPUFFN(FFN):
    """``FFN``, in pieces of tokens where nothing is learnt."""

    def forward(self, x: Tensor, identity: Tensor | None = None) -> Tensor:
        """(B, N, C) ``identity``, or the tokens, and what the network makes of (B, N, C) tokens."""
        rows = x.numel() // x.shape[-1]
        if x.device.type != 'cpu' or self.training or torch.is_grad_enabled() or rows * self.feedforward_channels <= AT_ONCE:
            return super().forward(x, identity)
        identity = x if identity is None else identity
        output = torch.empty_like(identity)
        size = max(1, AT_ONCE // self.feedforward_channels)
        for piece, kept, into in zip(*(tokens.flatten(0, -2).split(size) for tokens in (x, identity, output)), strict=True):
            torch.add(kept, self.layers(piece), out=into)
        return output


class CPUPatchMerging(PatchMerging):
    """``PatchMerging`` of 2 x 2 tokens, which copies tokens whole and not number by number.

    The four tokens lie one after the other here, and channel by channel in the weights; so these are reordered, being smaller.
    """

    def forward(self, x: Tensor, input_size: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """(B, N, O) and its size for a (B, H * W, C) map of (H, W), of which a last odd row or column is merged with zeros."""
        if x.device.type != 'cpu':
            return super().forward(x, input_size)
        height, width = (size + size % 2 for size in input_size)
        tokens = x.unflatten(1, input_size)
        if (height, width) != tuple(input_size):
            tokens = F.pad(tokens, (0, 0, 0, width - input_size[1], 0, height - input_size[0]))
        merged = tokens.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3).flatten(3).flatten(1, 2)
        norm = self.norm
        normed = F.layer_norm(merged, norm.normalized_shape, _token_by_token(norm.weight), _token_by_token(norm.bias), norm.eps)
        return linear(normed, _token_by_token(self.reduction.weight), self.reduction.bias), (height // 2, width // 2)


def _token_by_token(weights: Tensor) -> Tensor:
    """(..., 4 * C) weights in the order of whole tokens, from that of channels."""
    return weights.unflatten(-1, (-1, 4)).transpose(-1, -2).flatten(-2)


def is_piecewise(ffn: nn.Module) -> bool:
    """Whether an ``FFN`` adds its input to what it makes of it, and scales nothing."""
    return isinstance(ffn, FFN) and ffn.add_identity and isinstance(ffn.gamma2, nn.Identity)


def merges_quads(merging: nn.Module) -> bool:
    """Whether a ``PatchMerging`` norms and merges 2 x 2 tokens, of which a last odd row or column is filled up."""
    if not isinstance(merging, PatchMerging) or not isinstance(merging.norm, nn.LayerNorm) or merging.adap_padding is None:
        return False
    sampler, padding = merging.sampler, merging.adap_padding.padding
    return sampler.kernel_size == sampler.stride == (2, 2) and sampler.dilation == (1, 1) and padding == 'corner'
