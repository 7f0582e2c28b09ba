"""TransVG (Deng et al., ICCV 2021): fuse visual and text tokens with a learnt token, predict the box from it."""
from functools import partial
from typing import Any

from torch import Tensor

from mmduet.models.layers.kept_tokens import Parts, keep_of
from mmduet.models.students.fusion_grounder import FusionGrounder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, expand_images, padding_mask


@MODELS.register_module()
class TransVG(FusionGrounder):
    """Visual encoder, text encoder, fusion of their tokens and a box head on the query token.

    Args:
        visual_encoder: config of a ``VisualEncoder``.
        text_encoder: config of a ``BertTextEncoder``.
        fusion, box_head, box_loss, data_preprocessor, score_head: see ``FusionGrounder``.
        feature_size: side of the visual map; the canvas is ``feature_size * stride`` pixels wide.
        pretrained: see ``FusionGrounder``; ``visual_encoder.*`` alone (from DETR) will do.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.registry import MODELS
    >>> student = MODELS.build(load_config('configs/transvg/transvg_refshapes.py').model)
    >>> student.channels, student.visual_reads_text
    (64, False)
    """

    visual_reads_text = False
    convolves_pixels = True

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], feature_size: int = 20,
                 pretrained: str | None = None, score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, box_loss, score_head)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        self.build_fusion(self.visual_encoder.channels, feature_size**2, fusion, box_head)
        self.feature_size = feature_size
        self.leave_out_padding(partial(padding_mask, feature_size=feature_size))
        load_partial_weights(self, pretrained)

    def encode_batch(self, batch: GroundingBatch, attention: bool) -> GroundingFeatures:
        """See ``FusionGrounder.encode_batch``."""
        padding = batch.padding(self.feature_size)
        return self.encode(batch.pixels, padding, *batch.tokens, batch.shared_index, batch.has_padding, attention,
                           *keep_of(batch, padding))

    def encode(self, pixels: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               image_index: Tensor | None = None, has_padding: bool = True, attention: bool = False,
               kept: Parts | None = None, kept_fused: Parts | None = None) -> GroundingFeatures:
        """Run the network.

        Args:
            pixels: (U, 3, S, S) normalised canvases.
            visual_padding: (U, feature_size, feature_size) bool, True where a visual token is not to be attended to.
            token_ids: (B, L') int64, L' at most L.
            text_padding: (B, L') bool, True where there is no token.
            image_index: (B,) int64, the canvas of each expression; None where each has its own.
            has_padding: False if ``visual_padding`` is known to be all False.
            attention: also say where the query looks.
            kept, kept_fused: the visual tokens of the U canvases that the visual encoder encodes, and of those of B expressions
                that are fused; None for all.
        """
        visual = expand_images(self.visual_encoder(pixels, visual_padding, has_padding, kept), image_index)
        visual_padding = expand_images(visual_padding, image_index)
        return self.fuse(visual.flatten(2).transpose(1, 2), visual_padding.flatten(1),
                         self.text_encoder(token_ids, text_padding), text_padding, visual_padding, attention=attention,
                         kept=kept_fused)
