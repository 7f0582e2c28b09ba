"""TransVG (Deng et al., ICCV 2021): fuse visual and text tokens with a learnt token, read the box from it."""
from functools import partial
from typing import Any

from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder, Samples, stack_targets
from mmduet.models.image_sharing import UNSHARED, SharedImages, share_images
from mmduet.models.layers.token_fusion import fuse_tokens
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingFeatures, padding_mask, stack_windows


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
        grid: side of the visual map, cells; the canvas is ``grid * stride`` pixels wide.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        pretrained: file of TransVG weights in our layout; ``visual_encoder.*`` alone (from DETR) will do. None for random.
    """

    visual_reads_text = False

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], grid: int = 20,
                 pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        channels: int = fusion['channels']
        self.visual_proj = nn.Linear(self.visual_encoder.channels, channels)
        self.text_proj = nn.Linear(self.text_encoder.channels, channels)
        self.query_token = nn.Embedding(1, channels)
        self.positions = nn.Embedding(1 + self.text_encoder.max_tokens + grid * grid, channels)
        self.fusion = TransformerEncoder(**fusion)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.box_loss = MODELS.build(box_loss)
        self.grid = grid
        if pretrained is not None:
            load_partial_weights(self, pretrained)

    def extract(self, inputs: Tensor, samples: Samples) -> GroundingFeatures:
        """See ``BaseGrounder.extract``."""
        size = inputs.shape[-1]
        canvases = [sample.canvas for sample in samples]
        padding = padding_mask(stack_windows(canvases), size, self.grid).to(inputs.device, non_blocking=True)
        has_padding = any(canvas.width < size or canvas.height < size for canvas in canvases)
        token_ids, text_padding = self.text_encoder.tokenize([sample.text for sample in samples])
        shared = UNSHARED if self.training else share_images(inputs, samples)
        return self.encode(inputs, padding, token_ids, text_padding, has_padding, shared)

    def encode(self, inputs: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               has_padding: bool = True, shared: SharedImages = UNSHARED) -> GroundingFeatures:
        """Run the network.

        Args:
            inputs: (B, 3, S, S) normalised canvases.
            visual_padding: (B, grid, grid) bool, True where the cell is padding.
            token_ids: (B, L') int64, L' at most L.
            text_padding: (B, L') bool, True where there is no token.
            has_padding: False if ``visual_padding`` is known to be all False.
            shared: canvases that several expressions look at are encoded once.
        """
        visual = shared.encode(partial(self.visual_encoder, has_padding=has_padding), inputs, visual_padding)
        cells = self.visual_proj(visual.flatten(2).transpose(1, 2))
        words = self.text_proj(self.text_encoder(token_ids, text_padding))
        cell_padding = visual_padding.flatten(1)
        query, fused_cells = fuse_tokens(self.fusion, self.query_token, self.positions, cells, cell_padding, words,
                                         text_padding)
        boxes = self.box_head(query, fused_cells, cell_padding).sigmoid()
        return GroundingFeatures(boxes=boxes[None], query=query, text=words, text_padding=text_padding,
                                 visual=cells.transpose(1, 2).unflatten(2, visual_padding.shape[1:]),
                                 visual_padding=visual_padding,
                                 fused=fused_cells.transpose(1, 2).unflatten(2, visual_padding.shape[1:]))

    def loss(self, features: GroundingFeatures, samples: Samples) -> dict[str, Tensor]:
        """``loss_bbox`` and ``loss_giou``; see ``BaseGrounder.loss``."""
        boxes = features.boxes[-1]
        losses: dict[str, Tensor] = self.box_loss(boxes, stack_targets(samples, boxes.device))
        return losses
