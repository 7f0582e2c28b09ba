"""CLIP-VG (Xiao et al., TMM 2023): fuse the tokens of a frozen CLIP, read from several depths, and read a box from them."""
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.conversion import OPEN_CLIP, convert
from mmduet.models.layers.token_fusion import fuse_tokens, tokens_to_map
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, expand_images, padding_mask


@MODELS.register_module()
class CLIPVG(BaseGrounder):
    """CLIP's two towers, a transformer over ``[token, words, class token, patches]`` and a box head on the token.

    The towers are frozen but for the positions of the patches. Neither reads the other: ``visual`` is the projected patches
    of all levels, which no word has touched.

    Args:
        visual_encoder: config of a ``CLIPVisualEncoder``.
        text_encoder: config of a ``CLIPTextEncoder``; its ``max_tokens`` is L.
        fusion: config of the fusion ``TransformerEncoder``; its ``channels`` are C.
        box_head: config of a ``BoxHead``, without its channels.
        box_loss: config of a ``BoxLoss``.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        pretrained: file of CLIP-VG weights in our layout, of its towers alone, or of a CLIP as open_clip stores it. None for
            random.
    """

    visual_reads_text = False

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any],
                 pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor, box_loss)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        channels: int = fusion['channels']
        self.feature_size: int = self.visual_encoder.feature_size
        self.visual_proj = nn.Linear(self.visual_encoder.channels, channels)
        self.text_proj = nn.Linear(self.text_encoder.channels, channels)
        self.query_token = nn.Embedding(1, channels)
        self.positions = nn.Embedding(1 + self.text_encoder.max_tokens + 1 + self.feature_size**2, channels)
        self.fusion = TransformerEncoder(**fusion)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.use_tokenizer(self.text_encoder.tokenizer)
        self.channels = channels
        if pretrained is not None:
            load_partial_weights(self, pretrained, accept_open_clip)

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract``."""
        padding = batch.expand(rounded_padding(batch.content, batch.size, self.feature_size))
        return self.encode(batch.pixels, padding, *batch.tokens, batch.shared_index)

    def encode(self, pixels: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               image_index: Tensor | None = None) -> GroundingFeatures:
        """Run the network.

        Args:
            pixels: (U, 3, S, S) normalised canvases.
            visual_padding: (B, feature_size, feature_size) bool, True where the patch is padding.
            token_ids: (B, L') int64, L' at most L.
            text_padding: (B, L') bool, True where there is no token.
            image_index: (B,) int64, the canvas of each expression; None where each has its own.
        """
        visual_tokens = self.visual_proj(expand_images(self.visual_encoder(pixels), image_index))
        text = self.text_proj(self.text_encoder(token_ids))
        patch_padding = visual_padding.flatten(1)
        token_padding = F.pad(patch_padding, (1, 0), value=False)
        query, fused = fuse_tokens(self.fusion, self.query_token, self.positions, visual_tokens, token_padding, text,
                                   text_padding)
        # The class token is the first of the visual tokens; the maps are made of the patches.
        boxes = self.box_head(query, fused[:, 1:], patch_padding).sigmoid()
        feature_size = visual_padding.shape[1:]
        return GroundingFeatures(boxes=boxes[None], query=query, text=text, text_padding=text_padding,
                                 visual=tokens_to_map(visual_tokens[:, 1:], feature_size), visual_padding=visual_padding,
                                 fused=tokens_to_map(fused[:, 1:], feature_size))


def rounded_padding(content: Tensor, size: int, cells: int) -> Tensor:
    """Padding of the patches as CLIP-VG has it: the pixel mask resized bilinearly, half a pixel's worth rounded down to none.

    Args:
        content: (B, 4) xyxy pixels of the images on their canvases.
        size: side of the canvas, pixels.
        cells: side of the map of patches.

    Returns:
        (B, cells, cells) bool, True where the patch is padding.
    """
    pixels = padding_mask(content, size)[:, None].float()
    shares = F.interpolate(pixels, size=(cells, cells), mode='bilinear', align_corners=False, antialias=True)
    return torch.round(shares[:, 0]).bool()


def accept_open_clip(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Rename a CLIP's weights to our towers'; leave others as they are."""
    return convert(weights, OPEN_CLIP) if OPEN_CLIP.fits(weights) else weights
