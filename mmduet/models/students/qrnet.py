"""QRNet (Ye et al., CVPR 2022): a backbone modulated by the expression, then TransVG's fusion and box head."""
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.query_modulated_attention import QueryModulatedAttention
from mmduet.models.students.fusion_grounder import FusionGrounder
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures


@MODELS.register_module()
class QRNet(FusionGrounder):
    """Text encoder, a Swin modulated by it after every stage, a pyramid modulated on its way down, fusion and a box head.

    There is no map without text in it, by design: from the first stage on, the expression weighs channels and positions.
    ``visual`` is the finer of the two fused levels, projected; a distillation of it teaches the modulated map.

    Args:
        backbone: config of MMDetection's ``SwinTransformer`` with an output at every stage.
        text_encoder: config of a ``BertTextEncoder``; its first token is the query of the query-modulated attention.
        fusion, box_head, box_loss, data_preprocessor, score_head: see ``FusionGrounder``.
        feature_size: side of the map of the last stage; even. The canvas is ``feature_size * stride`` pixels wide.
        rank: of the dynamic layers of the query-modulated attention.
        pretrained: see ``FusionGrounder``; ``backbone.*`` and ``laterals.*`` alone (from a Mask R-CNN) will do.
    """

    visual_reads_text = True
    convolves_pixels = True
    backbone: Any
    pool_gates: Any

    def __init__(self, backbone: dict[str, Any], text_encoder: dict[str, Any], fusion: dict[str, Any], box_head: dict[str, Any],
                 box_loss: dict[str, Any], data_preprocessor: dict[str, Any], feature_size: int = 20, rank: int = 30,
                 pretrained: str | None = None, score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, box_loss, score_head)
        if feature_size % 2:
            raise ValueError(f'feature_size is halved for the last level of the pyramid: it must be even, got {feature_size}')
        self.backbone = _build_backbone(backbone)
        self.text_encoder = MODELS.build(text_encoder)
        widths, channels, query = self.backbone.num_features, fusion['channels'], self.text_encoder.channels
        self.stage_gates = nn.ModuleList(QueryModulatedAttention(width, query, rank=rank) for width in widths)
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, kernel_size=1) for width in widths)
        self.pool_gates = nn.ModuleList(QueryModulatedAttention(channels, query, rank=rank) for _ in widths[1:])
        # One row for every level of the pyramid, of which the last two are fused.
        self.levels = nn.Embedding(len(widths) + 1, channels)
        self.build_fusion(channels, feature_size**2 + (feature_size // 2)**2, fusion, box_head)
        # Nothing is left out as padding: the windows and gates of the backbone read it, and the fusion, which does not, is a
        # small part of the work.
        self.feature_size = feature_size
        self.image_size = feature_size * self.backbone.patch_embed.projection.stride[0] * 2**(len(widths) - 1)
        load_partial_weights(self, pretrained)

    def init_weights(self) -> None:
        """Do nothing: weights are there since construction, and MMDetection's Swin would draw its own anew."""

    def encode_batch(self, batch: GroundingBatch, attention: bool) -> GroundingFeatures:
        """See ``FusionGrounder.encode_batch``; every expression is a pass of its own, and looks at the finer level."""
        fine, coarse = (batch.expand(batch.padding(side)) for side in (self.feature_size, self.feature_size // 2))
        return self.encode(batch.expand(batch.pixels), fine, coarse, *batch.tokens, attention)

    def encode(self, pixels: Tensor, visual_padding: Tensor, coarse_padding: Tensor, token_ids: Tensor,
               text_padding: Tensor, attention: bool = False) -> GroundingFeatures:
        """Run the network; arguments as in ``TransVG.encode``, with a canvas for each of B expressions.

        ``coarse_padding``, (B, feature_size / 2, feature_size / 2) bool, is that of the last level. Canvases must be of the
        size that the feature_size stands for.
        """
        if tuple(pixels.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f'canvases of {tuple(pixels.shape[-2:])} px for a feature_size of {self.feature_size}, that takes '
                             f'{self.image_size} px: set feature_size to the side of the canvas divided by the stride of the '
                             'backbone')
        text = self.text_encoder(token_ids, text_padding)
        pyramid = self.pyramid(self.encode_image(pixels, text[:, 0]), text[:, 0])[-2:]
        levels = [level.flatten(2).mT + scale for level, scale in zip(pyramid, self.levels.weight[-2:], strict=True)]
        token_padding = torch.cat([visual_padding.flatten(1), coarse_padding.flatten(1)], dim=1)
        # The maps are made of the finer level, which comes first.
        return self.fuse(torch.cat(levels, dim=1), token_padding, text, text_padding, visual_padding,
                         attention=attention)

    def encode_image(self, pixels: Tensor, query: Tensor) -> list[Tensor]:
        """(B, C_i, H_i, W_i) maps of every stage of the backbone, each modulated by the (B, Q) query before the next stage."""
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
        """(B, C, H_i, W_i) levels, one for every map and one of half the last: coarse added to fine, then back, modulated."""
        levels = [lateral(level) for lateral, level in zip(self.laterals, maps, strict=True)]
        for fine, coarse in reversed(list(pairwise(range(len(levels))))):
            levels[fine] = levels[fine] + F.interpolate(levels[coarse], scale_factor=2)
        for number, gate in enumerate(self.pool_gates):
            tokens, shape = levels[number].flatten(2).mT, levels[number].shape[2:]
            levels[number + 1] = levels[number + 1] + F.avg_pool2d(gate(tokens, query).mT.unflatten(2, shape), 2)
        levels.append(F.max_pool2d(levels[-1], kernel_size=1, stride=2))
        return levels


def _build_backbone(config: dict[str, Any]) -> Any:
    """Build MMDetection's Swin with its own random weights; not on the meta device, as it reads a tensor at construction."""
    device = torch.get_default_device()
    with torch.device('cpu' if device.type == 'meta' else device):
        backbone = MODELS.build(config)
    backbone.init_weights()
    return backbone
