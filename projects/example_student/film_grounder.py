"""A one-stage grounder: the text modulates convolutions over the image; the visual token of the best score gives the box."""
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.io.files import find_file
from mmduet.models import BaseGrounder
from mmduet.models.layers.tokenizers import WordPieceTokenizer
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures


@dataclass(frozen=True, slots=True, kw_only=True)
class FiLMFeatures(GroundingFeatures):
    """The contract, and what only this student's loss needs."""

    scores: Tensor  # (B, N) logit of each visual token to hold the centre of the target, -inf at padding
    token_boxes: Tensor  # (B, N, 4) the box of each visual token, cxcywh in [0, 1] of the canvas


class FiLMBlock(nn.Module):
    """A residual convolution whose channels the expression scales and shifts (Perez et al., AAAI 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + 2, channels, kernel_size=1)
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.norm = nn.GroupNorm(1, channels, affine=False)
        self.modulation = nn.Linear(channels, 2 * channels)

    def forward(self, visual: Tensor, positions: Tensor, text: Tensor) -> Tensor:
        """(B, C, H, W) map after the block, for (B, 2, H, W) positions in [-1, 1] and (B, C) embeddings of the expressions."""
        mixed = F.relu(self.mix(torch.cat([visual, positions], dim=1)))
        scale, shift = self.modulation(text)[:, :, None, None].chunk(2, dim=1)
        modulated: Tensor = F.relu((1 + scale) * self.norm(self.conv(mixed)) + shift)
        return mixed + modulated


class FiLMGrounder(BaseGrounder):
    """A visual map without text in it, a GRU over the text tokens, FiLM blocks, and a score and a box of every visual token.

    Args:
        visual_encoder: config of a ``VisualEncoder``; its channels are C.
        box_loss: config of a ``BoxLoss``, of the box of the visual token that holds the target's centre.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        vocab: path of a vocabulary of word pieces.
        max_tokens: L, marks included.
        num_blocks: FiLM blocks, at least 1.
        feature_size: side of the visual map, in visual tokens.
        pretrained: file of our weights; ``visual_encoder.*`` alone will do. None for random.
        score_head: config of a ``ScoreHead``; None for scores of 1.
    """

    visual_reads_text = False

    def __init__(self, visual_encoder: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], vocab: str,
                 max_tokens: int = 16, num_blocks: int = 4, feature_size: int = 8, pretrained: str | None = None,
                 score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, box_loss, score_head)
        self.visual_encoder = MODELS.build(visual_encoder)
        tokenizer = WordPieceTokenizer(find_file(vocab), max_tokens)
        self.use_tokenizer(tokenizer)
        self.channels = channels = self.visual_encoder.channels
        self.embedding = nn.Embedding(tokenizer.vocab_size, channels)
        self.text_encoder = nn.GRU(channels, channels, batch_first=True)
        self.blocks = nn.ModuleList(FiLMBlock(channels) for _ in range(num_blocks))
        self.score = nn.Linear(channels, 1)
        self.box = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4))
        self.feature_size = feature_size
        if pretrained is not None:
            load_partial_weights(self, pretrained)

    def extract(self, batch: GroundingBatch) -> FiLMFeatures:
        """See ``BaseGrounder.extract``; ``query`` is the fused visual token of the highest score."""
        padding = batch.padding(self.feature_size)
        visual = batch.expand(self.visual_encoder(batch.pixels, padding, has_padding=batch.has_padding))
        padding, (token_ids, text_padding) = batch.expand(padding), batch.tokens
        text, _ = self.text_encoder(self.embedding(token_ids))
        rows = torch.arange(text.shape[0], device=text.device)
        last = text[rows, (~text_padding).sum(dim=1) - 1]

        steps = (torch.arange(self.feature_size, device=text.device) + 0.5) / self.feature_size
        centres = torch.stack(torch.meshgrid(steps, steps, indexing='xy'))
        positions = (2 * centres - 1).expand(text.shape[0], -1, -1, -1)
        fused = visual
        for block in self.blocks:
            fused = block(fused, positions, last)
        tokens = fused.flatten(2).transpose(1, 2)
        scores = self.score(tokens)[..., 0].masked_fill(padding.flatten(1), -torch.inf)
        start = torch.cat([torch.logit(centres.flatten(1).T), centres.new_full((self.feature_size**2, 2), -1.2)], dim=1)
        boxes = (start + self.box(tokens)).sigmoid()
        best = scores.argmax(dim=1)
        return FiLMFeatures(boxes=boxes[rows, best][None], query=tokens[rows, best], visual=visual, visual_padding=padding,
                            text=text, text_padding=text_padding, fused=fused, scores=scores, token_boxes=boxes)

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """``loss_score`` for the scores; ``loss_bbox`` and ``loss_giou`` of the token that holds the target's centre."""
        assert isinstance(features, FiLMFeatures)  # what ``extract`` gave
        targets = batch.target_boxes
        column, row = (targets[:, :2] * self.feature_size).long().clamp(0, self.feature_size - 1).unbind(dim=1)
        token = row * self.feature_size + column
        boxes = features.token_boxes[torch.arange(len(token), device=token.device), token]
        return {'loss_score': F.cross_entropy(features.scores.float(), token), **self.box_loss(boxes[None], targets)}
