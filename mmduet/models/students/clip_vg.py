"""CLIP-VG (Xiao et al., TMM 2023): fuse the tokens of a frozen CLIP from several depths, and predict a box from them."""
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.conversion import OPEN_CLIP, convert
from mmduet.models.layers.kept_tokens import Parts, keep_of
from mmduet.models.students.fusion_grounder import FusionGrounder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, expand_images, padding_mask

_ROUNDING = 1e-6


@MODELS.register_module()
class CLIPVG(FusionGrounder):
    """CLIP's two towers, fusion of their tokens, CLIP's class token among them, and a box head on the query token.

    The towers are frozen but for the positions of the patches. ``visual`` is the projected patches of all levels.

    Args:
        visual_encoder: config of a ``CLIPVisualEncoder``.
        text_encoder: config of a ``CLIPTextEncoder``.
        fusion, box_head, box_loss, data_preprocessor, score_head: see ``FusionGrounder``.
        pretrained: see ``FusionGrounder``; a CLIP as open_clip stores it will do too.
    """

    visual_reads_text = False
    convolves_pixels = True

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any],
                 pretrained: str | None = None, score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, box_loss, score_head)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        self.feature_size: int = self.visual_encoder.feature_size
        self.build_fusion(self.visual_encoder.channels, 1 + self.feature_size**2, fusion, box_head)
        # In the fusion alone: CLIP's tower has no masks and reads the whole canvas.
        self.leave_out_padding(partial(rounded_padding, feature_size=self.feature_size))
        load_partial_weights(self, pretrained, lambda found: convert(found, OPEN_CLIP) if OPEN_CLIP.fits(found) else found)

    def encode_batch(self, batch: GroundingBatch, attention: bool) -> GroundingFeatures:
        """See ``FusionGrounder.encode_batch``; CLIP's class token is no part of the map that the query looks at."""
        padding = rounded_padding(batch.content, batch.size, self.feature_size)
        _, kept = keep_of(batch, padding)
        return self.encode(batch.pixels, batch.expand(padding), *batch.tokens, batch.shared_index, attention, kept)

    def encode(self, pixels: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               image_index: Tensor | None = None, attention: bool = False,
               kept: Parts | None = None) -> GroundingFeatures:
        """Run the network; arguments as in ``TransVG.encode``.

        But ``visual_padding`` is (B, feature_size, feature_size), and ``kept`` are the visual tokens that are fused.
        """
        visual = expand_images(self.visual_encoder(pixels), image_index)
        # The class token is the first of the visual tokens; the maps are made of the patches.
        return self.fuse(visual, F.pad(visual_padding.flatten(1), (1, 0), value=False), self.text_encoder(token_ids),
                         text_padding, visual_padding, first=1, attention=attention,
                         kept=kept)


def rounded_padding(content: Tensor, size: int, feature_size: int) -> Tensor:
    """Padding of the patches as CLIP-VG has it: the pixel mask resized bilinearly, half a pixel's worth rounded down to none.

    (B, feature_size, feature_size) bool, True where a patch is padding, for (B, 4) ``content`` in xyxy pixels of the canvas.
    Of an image that fills half of no patch, which CLIP-VG would not see at all, the patches are those of ``padding_mask``.
    """
    columns, rows = (_covered(content[:, k, None], content[:, k + 2, None], size, feature_size) for k in (0, 1))
    # A tie is none, as rounding to even has it; sums of float32 come no closer to one.
    padding = rows[:, :, None] * columns[:, None, :] < 0.5 - _ROUNDING
    unseen = padding.flatten(1).all(dim=1)[:, None, None]
    # By logic, as ONNX Runtime chooses between numbers alone.
    return (padding & ~unseen) | (padding_mask(content, size, feature_size) & unseen)


def _covered(low: Tensor, high: Tensor, size: int, side: int) -> Tensor:
    """(B, side) shares of the patches of one axis that pixels from (B, 1) ``low`` to below ``high`` cover.

    They are those of a bilinear filter with antialiasing, a triangle of two patches, which a product of both axes makes the
    filter of the plane: no mask of all pixels is needed.
    """
    pixel = torch.arange(size, device=low.device)
    centre = (torch.arange(side, device=low.device, dtype=torch.float32)[:, None] + 0.5) * (size / side)
    weights = (1 - ((pixel + 0.5 - centre) * (side / size)).abs()).clamp(min=0)
    inside = ((pixel >= low) & (pixel < high)).to(weights.dtype)
    return (inside[:, None] * (weights / weights.sum(dim=1, keepdim=True))).sum(dim=-1)
