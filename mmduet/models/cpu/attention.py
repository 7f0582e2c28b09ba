"""Attention whose projections are fast linear layers, and which is written out where no fused kernel takes its dropout."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.cpu.dropout import dropout
from mmduet.models.cpu.linear import linear
from mmduet.models.layers.attention import Attention, RelativePositionAttention, TokenAttention


class CPUAttention(Attention):
    """What the two attentions below share."""

    linear = staticmethod(linear)

    def mix(self, query: Tensor, key: Tensor, value: Tensor, attend: Tensor | None) -> Tensor:
        """See ``Attention.mix``; with dropout the CPU has no fused kernel, and written out, the mask is drawn faster."""
        if query.device.type != 'cpu' or not self.training or not self.dropout:
            return super().mix(query, key, value, attend)
        scores = query @ key.transpose(-2, -1) * value.shape[-1]**-0.5
        if attend is not None:
            scores = scores.masked_fill(~attend, -torch.inf)
        return self.join(dropout(scores.softmax(dim=-1).to(value.dtype), self.dropout) @ value)


class CPUTokenAttention(CPUAttention, TokenAttention):
    """``TokenAttention``, faster."""


class CPURelativePositionAttention(CPUAttention, RelativePositionAttention):
    """``RelativePositionAttention``, faster."""


class CPUMultiheadAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` among the tokens of one sequence, as open_clip's towers have it, by fast linear layers."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
                need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """See ``nn.MultiheadAttention``, which computes all but unpadded attention of (B, N, C) tokens to themselves."""
        added = attn_mask is None or (attn_mask.dim() == 2 and attn_mask.is_floating_point())
        known = query is key is value and query.dim() == 3 and key_padding_mask is None and not need_weights and added
        if query.device.type != 'cpu' or not known or (self.training and self.dropout):
            return super().forward(
                query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
        projected = linear(query, self.in_proj_weight, self.in_proj_bias).unflatten(2, (3, self.num_heads, -1))
        queries, keys, values = projected.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask)
        return linear(mixed.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias), None


def is_simple(attention: nn.Module) -> bool:
    """Whether an ``nn.MultiheadAttention`` takes (B, N, C) tokens of one width and adds nothing to keys and values."""
    return (isinstance(attention, nn.MultiheadAttention) and attention.batch_first and attention.in_proj_weight is not None
            and attention.bias_k is None and not attention.add_zero_attn)
