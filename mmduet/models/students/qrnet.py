"""QRNet (Ye et al., CVPR 2022): a backbone that looks for what the expression asks, then TransVG's fusion and box head."""
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.layers.query_modulated_attention import QueryModulatedAttention
from mmduet.models.layers.token_fusion import fuse_tokens, tokens_to_map
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures


@MODELS.register_module()
class QRNet(BaseGrounder):
    """Text branch, a Swin gated by it after every stage, a pyramid gated on its way down, fusion and a box head.

    There is no map without text in it, by design: from the first stage on, the expression decides which channels and cells
    count. ``visual`` is the finer of the two levels that the fusion reads, projected: what the gated backbone and pyramid made
    of the photo for this expression. A distillation of it teaches the modulated map.

    Args:
        backbone: config of MMDetection's ``SwinTransformer`` with an output at every stage.
        text_encoder: config of a ``BertTextEncoder``; its ``max_tokens`` is L, its first token the query of the gates.
        fusion: config of the fusion ``TransformerEncoder``; its ``channels`` are C.
        box_head: config of a ``BoxHead``, without its channels.
        box_loss: config of a ``BoxLoss``.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        feature_size: side of the map of the last stage, cells; even. The canvas is ``feature_size * stride`` pixels wide.
        rank: of the dynamic layers of the gates.
        pretrained: file of QRNet weights in our layout; ``backbone.*`` and ``laterals.*`` alone (from a Mask R-CNN) will do.
            None for random.

    Raises:
        ValueError: an odd feature_size.
    """

    visual_reads_text = True
    backbone: Any
    pool_gates: Any

    def __init__(self, backbone: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any], box_head: dict[str, Any],
                 box_loss: dict[str, Any], data_preprocessor: dict[str, Any], feature_size: int = 20, rank: int = 30,
                 pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor, box_loss)
        if feature_size % 2:
            raise ValueError(f'feature_size is halved for the last level of the pyramid: it must be even, got {feature_size}')
        self.backbone = _build_backbone(backbone)
        self.text_encoder = MODELS.build(text_encoder)
        widths, channels, asked = self.backbone.num_features, fusion['channels'], self.text_encoder.channels
        self.stage_gates = nn.ModuleList(QueryModulatedAttention(width, asked, rank=rank) for width in widths)
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, kernel_size=1) for width in widths)
        self.pool_gates = nn.ModuleList(QueryModulatedAttention(channels, asked, rank=rank) for _ in widths[1:])
        # One row for every level of the pyramid, of which the last two are read.
        self.levels = nn.Embedding(len(widths) + 1, channels)
        self.visual_proj = nn.Linear(channels, channels)
        self.text_proj = nn.Linear(asked, channels)
        self.query_token = nn.Embedding(1, channels)
        self.positions = nn.Embedding(1 + self.text_encoder.max_tokens + feature_size**2 + (feature_size // 2)**2, channels)
        self.fusion = TransformerEncoder(**fusion)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.use_tokenizer(self.text_encoder.tokenizer)
        self.channels = channels
        self.feature_size = feature_size
        self.image_size = feature_size * self.backbone.patch_embed.projection.stride[0] * 2**(len(widths) - 1)
        if pretrained is not None:
            load_partial_weights(self, pretrained)

    def init_weights(self) -> None:
        """Do nothing: weights are there since construction, and MMDetection's Swin would draw its own anew."""

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract``."""
        fine, coarse = (batch.expand(batch.padding(cells)) for cells in (self.feature_size, self.feature_size // 2))
        # The words have a say from the first stage on, so that every expression needs a pass of its own.
        return self.encode(batch.expand(batch.pixels), fine, coarse, *batch.tokens)

    def encode(self, pixels: Tensor, visual_padding: Tensor, coarse_padding: Tensor, token_ids: Tensor,
               text_padding: Tensor) -> GroundingFeatures:
        """Run the network.

        Args:
            pixels: (B, 3, S, S) normalised canvases.
            visual_padding: (B, feature_size, feature_size) bool, True where the cell is padding.
            coarse_padding: (B, feature_size / 2, feature_size / 2) bool, the same for the last level.
            token_ids: (B, L') int64, L' at most L.
            text_padding: (B, L') bool, True where there is no token.

        Raises:
            ValueError: canvases of another size than the feature_size stands for.
        """
        if tuple(pixels.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f'canvases of {tuple(pixels.shape[-2:])} px for a feature_size of {self.feature_size}, that takes '
                             f'{self.image_size} px: set feature_size to the side of the canvas divided by the stride of the '
                             'backbone')
        text = self.text_encoder(token_ids, text_padding)
        fine, coarse = self.pyramid(self.encode_image(pixels, text[:, 0]), text[:, 0])[-2:]
        levels = [level.flatten(2).mT + scale
                  for level, scale in zip((fine, coarse), self.levels.weight[-2:], strict=True)]
        visual_tokens = self.visual_proj(torch.cat(levels, dim=1))
        text = self.text_proj(text)
        token_padding = torch.cat([visual_padding.flatten(1), coarse_padding.flatten(1)], dim=1)
        query, fused = fuse_tokens(self.fusion, self.query_token, self.positions, visual_tokens, token_padding, text,
                                   text_padding)
        # The maps are made of the finer level.
        count, feature_size = self.feature_size**2, visual_padding.shape[1:]
        boxes = self.box_head(query, fused[:, :count], token_padding[:, :count]).sigmoid()
        return GroundingFeatures(boxes=boxes[None], query=query, text=text, text_padding=text_padding,
                                 visual=tokens_to_map(visual_tokens[:, :count], feature_size), visual_padding=visual_padding,
                                 fused=tokens_to_map(fused[:, :count], feature_size))

    def encode_image(self, pixels: Tensor, query: Tensor) -> list[Tensor]:
        """(B, C_i, H_i, W_i) maps of every stage of the backbone, each gated by the (B, Q) query before the next sees it."""
        backbone = self.backbone
        tokens, shape = backbone.patch_embed(pixels)
        tokens = backbone.drop_after_pos(tokens)
        maps = []
        for number, (stage, gate) in enumerate(zip(backbone.stages, self.stage_gates, strict=True)):
            for block in stage.blocks:
                tokens = block(tokens, shape)
            tokens = gate(tokens, query)
            maps.append(getattr(backbone, f'norm{number}')(tokens).mT.unflatten(2, shape))
            if stage.downsample is not None:
                tokens, shape = stage.downsample(tokens, shape)
        return maps

    def pyramid(self, maps: list[Tensor], query: Tensor) -> list[Tensor]:
        """(B, C, H_i, W_i) levels, one for every map and one of half the last: coarse added to fine, then back, gated."""
        levels = [lateral(level) for lateral, level in zip(self.laterals, maps, strict=True)]
        for fine, coarse in reversed(list(pairwise(range(len(levels))))):
            levels[fine] = levels[fine] + F.interpolate(levels[coarse], scale_factor=2)
        for number, gate in enumerate(self.pool_gates):
            tokens, shape = levels[number].flatten(2).mT, levels[number].shape[2:]
            levels[number + 1] = levels[number + 1] + F.avg_pool2d(gate(tokens, query).mT.unflatten(2, shape), 2)
        levels.append(F.max_pool2d(levels[-1], kernel_size=1, stride=2))
        return levels


def _build_backbone(config: dict[str, Any]) -> Any:
    """Build MMDetection's Swin with its own random weights, on the CPU where weights are not wanted (the meta device).

    It reads the numbers of its drop path from a tensor at construction, which has none on that device.
    """
    device = torch.get_default_device()
    with torch.device('cpu' if device.type == 'meta' else device):
        backbone = MODELS.build(config)
    backbone.init_weights()
    return backbone
