"""TransVG (Deng et al., ICCV 2021): fuse visual and text tokens with a learnt token, read the box from it."""
from typing import Any

from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.layers.token_fusion import fuse_tokens, tokens_to_map
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, expand_images


@MODELS.register_module()
class TransVG(BaseGrounder):
    """Visual branch, text branch, a transformer over ``[token, words, cells]`` and a box head on the token.

    The token sequence of an expression is as long as the batch needs, not L: a word keeps its learnt position, so that boxes
    are those of the padded sequence.

    Args:
        visual_encoder: config of a ``VisualEncoder``.
        text_encoder: config of a ``BertTextEncoder``; its ``max_tokens`` is L.
        fusion: config of the fusion ``TransformerEncoder``; its ``channels`` are C.
        box_head: config of a ``BoxHead``, without its channels.
        box_loss: config of a ``BoxLoss``.
        feature_size: side of the visual map, cells; the canvas is ``feature_size * stride`` pixels wide.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        pretrained: file of TransVG weights in our layout; ``visual_encoder.*`` alone (from DETR) will do. None for random.

    >>> from mmduet.engine.config_tools import load_config
    >>> from mmduet.registry import MODELS
    >>> student = MODELS.build(load_config('configs/transvg/transvg_refshapes.py').model)
    >>> student.channels, student.visual_reads_text
    (64, False)
    """

    visual_reads_text = False

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], feature_size: int = 20,
                 pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor, box_loss)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        channels: int = fusion['channels']
        self.visual_proj = nn.Linear(self.visual_encoder.channels, channels)
        self.text_proj = nn.Linear(self.text_encoder.channels, channels)
        self.query_token = nn.Embedding(1, channels)
        self.positions = nn.Embedding(1 + self.text_encoder.max_tokens + feature_size * feature_size, channels)
        self.fusion = TransformerEncoder(**fusion)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.use_tokenizer(self.text_encoder.tokenizer)
        self.channels = channels
        self.feature_size = feature_size
        if pretrained is not None:
            load_partial_weights(self, pretrained)

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract``."""
        return self.encode(batch.pixels, batch.padding(self.feature_size), *batch.tokens, batch.shared_index, batch.has_padding)

    def encode(self, pixels: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               image_index: Tensor | None = None, has_padding: bool = True) -> GroundingFeatures:
        """Run the network.

        Args:
            pixels: (U, 3, S, S) normalised canvases.
            visual_padding: (U, feature_size, feature_size) bool, True where the visual token is padding.
            token_ids: (B, L') int64, L' at most L.
            text_padding: (B, L') bool, True where there is no token.
            image_index: (B,) int64, the canvas of each expression; None where each has its own.
            has_padding: False if ``visual_padding`` is known to be all False.
        """
        visual = expand_images(self.visual_encoder(pixels, visual_padding, has_padding=has_padding), image_index)
        visual_padding = expand_images(visual_padding, image_index)
        visual_tokens = self.visual_proj(visual.flatten(2).transpose(1, 2))
        text = self.text_proj(self.text_encoder(token_ids, text_padding))
        token_padding = visual_padding.flatten(1)
        query, fused = fuse_tokens(self.fusion, self.query_token, self.positions, visual_tokens, token_padding, text,
                                   text_padding)
        boxes = self.box_head(query, fused, token_padding).sigmoid()
        feature_size = visual_padding.shape[1:]
        return GroundingFeatures(boxes=boxes[None], query=query, text=text, text_padding=text_padding,
                                 visual=tokens_to_map(visual_tokens, feature_size),
                                 visual_padding=visual_padding, fused=tokens_to_map(fused, feature_size))
