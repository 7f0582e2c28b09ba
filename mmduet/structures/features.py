"""What a student gives: its boxes and features."""
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmduet.structures.axes import check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingFeatures:
    """Boxes and features of a student; all that a distillation term may use of it.

    B expressions, L text tokens, C channels, S decoding stages (TransVG 1, VLTVG 6), (H, W) the feature size.

    Attributes:
        boxes: (S, B, 4) cxcywh in [0, 1] of the canvas; the last stage is the answer.
        query: (B, C) embedding that the last box is predicted from.
        visual: (B, C, H, W) visual tokens before fusion (and independent of the text, where the student allows). A student
            that leaves padding out shows the border of the image there (``KeptTokens``), in ``fused`` too.
        visual_padding: (B, H, W) bool, True where a visual token is padding.
        text: (B, L, C) text tokens before fusion.
        text_padding: (B, L) bool, True where a text token is padding.
        fused: (B, C, H, W) fused visual tokens that the answer last reads; None where those are ``visual``.
        attention: (B, H, W) where the query looks when it last reads the visual tokens, mean of the heads; sums to 1, 0 at
            padding. None where it was not asked for (``BaseGrounder.extract_with_attention``).

    Raises:
        ValueError: a tensor has other axes; names field and axis.

    >>> import torch
    >>> from mmduet.structures import GroundingFeatures
    >>> features = GroundingFeatures(
    ...     boxes=torch.rand(1, 2, 4), query=torch.rand(2, 8), visual=torch.rand(2, 8, 4, 4),
    ...     visual_padding=torch.zeros(2, 4, 4, dtype=torch.bool), text=torch.rand(2, 5, 8),
    ...     text_padding=torch.zeros(2, 5, dtype=torch.bool))
    >>> tuple(features.answer_map.shape)
    (2, 8, 4, 4)
    """

    boxes: Tensor
    query: Tensor
    visual: Tensor
    visual_padding: Tensor
    text: Tensor
    text_padding: Tensor
    fused: Tensor | None = None
    attention: Tensor | None = None

    def __post_init__(self) -> None:
        check_axes(self, {'visual': ('B', 'C', 'H', 'W'), 'visual_padding': ('B', 'H', 'W'), 'text': ('B', 'L', 'C'),
                          'text_padding': ('B', 'L'), 'query': ('B', 'C'), 'boxes': ('S', 'B', 4),
                          'fused': ('B', 'C', 'H', 'W'), 'attention': ('B', 'H', 'W')},
                   booleans=('visual_padding', 'text_padding'))

    @property
    def answer_map(self) -> Tensor:
        """(B, C, H, W) the map that the answer reads: ``fused``, or ``visual`` of a student without one."""
        return self.visual if self.fused is None else self.fused

    def float(self) -> 'GroundingFeatures':
        """The same features in float32."""
        return replace(self, visual=self.visual.float(), text=self.text.float(), query=self.query.float(),
                       boxes=self.boxes.float(), fused=None if self.fused is None else self.fused.float())


def attention_map(weights: Tensor, padding: Tensor) -> Tensor:
    """(B, H, W) shares, of sum 1 and 0 at padding, of (B, H, W) attention weights and a (B, H, W) bool padding.

    Where nothing but padding was attended to, every real position has the same share.

    >>> import torch
    >>> attention_map(torch.tensor([[[0.1, 0.3, 0.5]]]), torch.tensor([[[False, False, True]]]))
    tensor([[[0.2500, 0.7500, 0.0000]]])
    """
    kept = weights.masked_fill(padding, 0)
    total = kept.sum(dim=(1, 2), keepdim=True)
    kept = torch.where(total > 0, kept, (~padding).to(kept.dtype))
    return kept / kept.sum(dim=(1, 2), keepdim=True)
