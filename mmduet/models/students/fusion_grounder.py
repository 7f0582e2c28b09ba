"""What TransVG, QRNet and CLIP-VG share: fusion of all tokens with a learnt query token, and a box head on it."""
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.layers.kept_tokens import KeptTokens, Parts, in_parts
from mmduet.models.layers.token_fusion import fuse_tokens, tokens_to_map
from mmduet.models.layers.transformer import TransformerEncoder
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, attention_map


class FusionGrounder(BaseGrounder):
    """A student whose last part is a transformer over ``[query token, text tokens, visual tokens]`` and a box head.

    The sequence of an expression is as long as the batch needs, not L: a token keeps its learnt position, so that boxes are
    those of the padded sequence.

    Args of all such students:
        text_encoder: config of the text encoder; its ``max_tokens`` is L.
        fusion: config of the fusion ``TransformerEncoder``; its ``channels`` are C.
        box_head: config of a ``BoxHead``, without its channels.
        box_loss: config of a ``BoxLoss``.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        score_head: config of a ``ScoreHead``; None for scores of 1.
        pretrained: file of the student's weights in our layout, or of whole top-level parts of it; None for random ones.
    """

    text_encoder: Any

    def build_fusion(self, visual_channels: int, num_visual: int, fusion: dict[str, Any], box_head: dict[str, Any]) -> None:
        """Build what comes after the encoders, for ``num_visual`` visual tokens of so many channels."""
        channels: int = fusion['channels']
        self.visual_proj = nn.Linear(visual_channels, channels)
        self.text_proj = nn.Linear(self.text_encoder.channels, channels)
        self.query_token = nn.Embedding(1, channels)
        self.positions = nn.Embedding(1 + self.text_encoder.max_tokens + num_visual, channels)
        self.fusion = TransformerEncoder(**fusion)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.use_tokenizer(self.text_encoder.tokenizer)
        self.channels = channels

    @abstractmethod
    def encode_batch(self, batch: GroundingBatch, attention: bool) -> GroundingFeatures:
        """The features of a batch, and, if asked, where the query looks."""

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract``."""
        return self.encode_batch(batch, attention=False)

    def extract_with_attention(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract_with_attention``."""
        return self.encode_batch(batch, attention=True)

    def fuse(self, visual: Tensor, token_padding: Tensor, text: Tensor, text_padding: Tensor, visual_padding: Tensor,
             first: int = 0, attention: bool = False, kept: Parts | None = None) -> GroundingFeatures:
        """Project and fuse the tokens of both encoders and predict the box.

        ``fused`` are the visual tokens that the last layer takes: whatever the box head, the answer reads them. What the last
        layer gives for them is read by a ``ReferenceBoxHead`` alone.

        Args:
            visual: (B, N, C_v) visual tokens.
            token_padding: (B, N) bool, True where one is padding.
            text: (B, L', C_t) text tokens, L' at most L.
            text_padding: (B, L') bool.
            visual_padding: (B, H, W) bool, of the map that the visual tokens from ``first`` on make.
            attention: also say where the query looks: how the last layer weighs those visual tokens.
            kept: those of them to fuse, the tokens before ``first`` with them; None for all.
        """
        visual, text = self.visual_proj(visual), self.text_proj(text)
        feature_size, count = visual_padding.shape[1:], visual_padding[0].numel()
        everything = visual, token_padding, text, text_padding

        def fuse_all() -> list[Tensor]:
            fused = fuse_tokens(self.fusion, self.query_token, self.positions, *everything, attention)
            return [fused.query, *(tokens[:, first:first + count] for tokens in fused.of_tokens)]

        def fuse_part(part: KeptTokens) -> tuple[Tensor, ...]:
            visual, token_padding, text, text_padding = map(part.pick, everything)
            index = None
            if part.index is not None:
                ahead = torch.arange(first, device=visual.device).expand(len(visual), -1)
                index = torch.cat([ahead, first + part.index], dim=1)
                token_padding = torch.cat([token_padding[:, :first], part.padding], dim=1)
            fused = fuse_tokens(self.fusion, self.query_token, self.positions, visual, token_padding, text, text_padding,
                                attention, index)
            return fused.query, *(part.put_back(tokens[:, first:]) for tokens in fused.of_tokens)

        query, fused_visual, taken, *weights = fuse_all() if kept is None else in_parts(kept, fuse_part)
        looked = attention_map(weights[0][..., 0].unflatten(1, feature_size), visual_padding) if weights else None
        boxes = self.box_head(query, fused_visual, visual_padding.flatten(1)).sigmoid()
        return GroundingFeatures(boxes=boxes[None], query=query, text=text, text_padding=text_padding,
                                 visual=tokens_to_map(visual[:, first:first + count], feature_size),
                                 visual_padding=visual_padding, fused=tokens_to_map(taken, feature_size), attention=looked)
