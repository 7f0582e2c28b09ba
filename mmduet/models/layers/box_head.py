"""Heads that predict a box from the fused tokens."""
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.registry import MODELS

# Logit of a side of 0.23, a middling object: where a head starts that predicts sides relative to it.
SIDE_LOGIT = -1.2


@MODELS.register_module()
class BoxHead(nn.Module):
    """A multi-layer perceptron on the query alone, ReLU between its layers (TransVG, section 3.3).

    Args:
        channels: C, width of input and hidden layers.
        num_layers: at least 1.
    """

    def __init__(self, channels: int, num_layers: int = 3) -> None:
        super().__init__()
        widths = [channels] * num_layers + [4]
        self.layers = nn.ModuleList(nn.Linear(low, high) for low, high in pairwise(widths))

    def forward(self, query: Tensor, visual: Tensor, visual_padding: Tensor) -> Tensor:
        """Predict a box.

        Args:
            query: (B, C) fused query.
            visual: (B, H * W, C) fused visual tokens of a square map, in rows.
            visual_padding: (B, H * W) bool, True where one is padding.

        Returns:
            (B, 4) logits of cxcywh boxes, in float32; a sigmoid makes them boxes in [0, 1].
        """
        for layer in self.layers[:-1]:
            query = F.relu(layer(query))
        return self._to_logits(query)

    def _to_logits(self, hidden: Tensor) -> Tensor:
        """The last layer, in float32 under any autocast: a box in bfloat16 would be a pixel off."""
        last = cast(nn.Linear, self.layers[-1])
        device = hidden.device.type
        if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
            return last(hidden).float()
        with torch.autocast(device, enabled=False):
            return last(hidden.to(last.weight.dtype)).float()


@MODELS.register_module()
class ReferenceBoxHead(BoxHead):
    """A perceptron that corrects a reference point: the mean position of the visual tokens that the query attends to.

    A large pretrained student learns to write positions into its query; a small one that trains for minutes does so late, and
    this head spares it that. Our choice, after the reference points of Conditional DETR (Meng et al. 2021).

    Args:
        channels, num_layers: see ``BoxHead``.
    """

    def __init__(self, channels: int, num_layers: int = 3) -> None:
        super().__init__(channels, num_layers)
        self.attend = nn.Linear(channels, channels)
        self.offer = nn.Linear(channels, channels)

    def forward(self, query: Tensor, visual: Tensor, visual_padding: Tensor) -> Tensor:
        """See ``BoxHead.forward``."""
        scores = torch.einsum('bc,bnc->bn', self.attend(query) / query.shape[1]**0.5, self.offer(visual)).float()
        attention = scores.masked_fill(visual_padding, -torch.inf).softmax(dim=1)
        side = round(visual.shape[1]**0.5)
        steps = (torch.arange(side, device=visual.device) + 0.5) / side
        centres = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).reshape(-1, 2)
        position = torch.logit((attention[..., None] * centres).sum(dim=1).clamp(0.02, 0.98))
        attended = torch.einsum('bn,bnc->bc', attention.to(visual.dtype), visual)
        start = torch.cat([position, torch.full_like(position, SIDE_LOGIT)], dim=1)
        return start + super().forward(query + attended, visual, visual_padding)
