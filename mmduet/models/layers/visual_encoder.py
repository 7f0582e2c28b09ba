"""The visual branch of the DETR family: a convolutional backbone and a transformer encoder over its last map."""
from typing import Any

import torch
from mmdet.models.layers import SinePositionalEncoding
from torch import Tensor, nn

from mmduet.models.layers.kept_tokens import KeptTokens, Parts, in_parts
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.registry import MODELS


@MODELS.register_module()
class VisualEncoder(nn.Module):
    """Backbone, 1 x 1 projection and encoder with sine positions, padding masked throughout.

    Args:
        backbone: config of an image backbone whose last output is taken, e.g. MMDetection's ResNet.
        in_channels: channels of that output.
        channels: C.
        num_layers, heads, feedforward, dropout: of the transformer encoder.
        add_positions: also add the positions to the map itself. In queries and keys alone they say where attention goes, not
            where a token lies; DETR's pretrained map knows that by itself, a small random one does not. Our choice.
    """

    def __init__(self, backbone: dict[str, Any], in_channels: int = 2048, channels: int = 256, num_layers: int = 6,
                 heads: int = 8, feedforward: int = 2048, dropout: float = 0.1, add_positions: bool = False) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        # The memory order in which CPU and GPU convolutions are fastest; values are unchanged.
        self.backbone.to(memory_format=torch.channels_last)
        self.input_proj = nn.Conv2d(in_channels, channels, kernel_size=1)
        self.positions = SinePositionalEncoding(channels // 2, normalize=True)
        self.encoder = TransformerEncoder(num_layers, channels, heads, feedforward, dropout)
        self.channels = channels
        self.add_positions = add_positions

    def forward(self, inputs: Tensor, padding: Tensor, has_padding: bool = True, kept: Parts | None = None) -> Tensor:
        """(B, C, H, W) map of (B, 3, S, S) normalised canvases; values at padding are meaningless.

        Args:
            padding: (B, H, W) bool, True where a position of the map is padding.
            has_padding: False if ``padding`` is known to be False everywhere, which lets attention run unmasked.
            kept: the visual tokens to encode, chosen by ``padding``; the map shows its border outside the image then. None for
                all.

        Raises:
            ValueError: the map's size is not that of ``padding``.
        """
        visual = self.input_proj(self.backbone(inputs)[-1])
        if visual.shape[-2:] != padding.shape[-2:]:
            raise ValueError(f'the visual map is {tuple(visual.shape[-2:])}, its padding mask {tuple(padding.shape[-2:])}: '
                             'the stride of the student does not fit its backbone, or the size of the canvas its feature_size')
        tokens, positions = visual.flatten(2).transpose(1, 2), self.position_tokens(padding).to(visual.dtype)

        def encode(part: KeptTokens) -> tuple[Tensor]:
            return (part.put_back(self._encode(part.take(tokens), part.take(positions), part.padding)), )

        if kept is None:
            encoded = self._encode(tokens, positions, padding.flatten(1) if has_padding else None)
        else:
            encoded, = in_parts(kept, encode)
        return encoded.transpose(1, 2).reshape_as(visual)

    def _encode(self, tokens: Tensor, positions: Tensor, padding: Tensor | None) -> Tensor:
        encoded: Tensor = self.encoder(tokens, positions, padding)
        return encoded + positions if self.add_positions else encoded

    def position_tokens(self, padding: Tensor) -> Tensor:
        """(B, H * W, C) sine positions of a (B, H, W) padding mask, counted from the first that is no padding."""
        positions: Tensor = self.positions(padding.int())
        return positions.flatten(2).transpose(1, 2)
