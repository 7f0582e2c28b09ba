"""A one-stage grounder: the words modulate convolutions over the image, every cell bids, the best bid's box is the answer."""
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
class CellFeatures(GroundingFeatures):
    """The contract, and what only this student's loss reads.

    Attributes:
        scores: (B, N) logit of each cell to hold the centre of the answer, -inf at padding.
        cell_boxes: (B, N, 4) the box of each cell, cxcywh in [0, 1] of the canvas.
    """

    scores: Tensor
    cell_boxes: Tensor


class FiLMBlock(nn.Module):
    """A residual convolution whose channels the expression scales and shifts (Perez et al., AAAI 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + 2, channels, kernel_size=1)
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.norm = nn.GroupNorm(1, channels, affine=False)
        self.modulation = nn.Linear(channels, 2 * channels)

    def forward(self, cells: Tensor, places: Tensor, sentence: Tensor) -> Tensor:
        """(B, C, H, W) cells after the block, for (B, 2, H, W) places in [-1, 1] and (B, C) sentences."""
        mixed = F.relu(self.mix(torch.cat([cells, places], dim=1)))
        scale, shift = self.modulation(sentence)[:, :, None, None].chunk(2, dim=1)
        modulated: Tensor = F.relu((1 + scale) * self.norm(self.conv(mixed)) + shift)
        return mixed + modulated


class FiLMGrounder(BaseGrounder):
    """A visual map that no word has touched, a GRU over the words, FiLM blocks, and a score and a box in every cell.

    Args:
        visual_encoder: config of a ``VisualEncoder``; its channels are C.
        box_loss: config of a ``BoxLoss``, of the box of the cell that holds the target's centre.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        vocab: path of a vocabulary of word pieces.
        max_tokens: L, marks included.
        num_blocks: FiLM blocks, at least 1.
        feature_size: side of the visual map, cells.
        pretrained: file of our weights; ``visual_encoder.*`` alone will do. None for random.
    """

    visual_reads_text = False

    def __init__(self, visual_encoder: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], vocab: str,
                 max_tokens: int = 16, num_blocks: int = 4, feature_size: int = 8, pretrained: str | None = None) -> None:
        super().__init__(data_preprocessor, box_loss)
        self.visual_encoder = MODELS.build(visual_encoder)
        tokenizer = WordPieceTokenizer(find_file(vocab), max_tokens)
        self.use_tokenizer(tokenizer)
        self.channels = channels = self.visual_encoder.channels
        self.words = nn.Embedding(tokenizer.vocab_size, channels)
        self.reader = nn.GRU(channels, channels, batch_first=True)
        self.blocks = nn.ModuleList(FiLMBlock(channels) for _ in range(num_blocks))
        self.bid = nn.Linear(channels, 1)
        self.box = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4))
        self.feature_size = feature_size
        if pretrained is not None:
            load_partial_weights(self, pretrained)

    def extract(self, batch: GroundingBatch) -> CellFeatures:
        """See ``BaseGrounder.extract``; ``query`` is the last state of the cell that bids most."""
        padding = batch.padding(self.feature_size)
        visual = batch.expand(self.visual_encoder(batch.pixels, padding, has_padding=batch.has_padding))
        padding, (token_ids, text_padding) = batch.expand(padding), batch.tokens
        words, _ = self.reader(self.words(token_ids))
        rows = torch.arange(len(batch), device=words.device)
        sentence = words[rows, (~text_padding).sum(dim=1) - 1]

        steps = (torch.arange(self.feature_size, device=words.device) + 0.5) / self.feature_size
        centres = torch.stack(torch.meshgrid(steps, steps, indexing='xy'))
        places = (2 * centres - 1).expand(len(batch), -1, -1, -1)
        cells = visual
        for block in self.blocks:
            cells = block(cells, places, sentence)
        states = cells.flatten(2).transpose(1, 2)
        scores = self.bid(states)[..., 0].masked_fill(padding.flatten(1), -torch.inf)
        start = torch.cat([torch.logit(centres.flatten(1).T), centres.new_full((self.feature_size**2, 2), -1.2)], dim=1)
        boxes = (start + self.box(states)).sigmoid()
        best = scores.argmax(dim=1)
        return CellFeatures(boxes=boxes[rows, best][None], query=states[rows, best], visual=visual, visual_padding=padding,
                            text=words, text_padding=text_padding, fused=cells, scores=scores, cell_boxes=boxes)

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """``loss_cell`` for the bids; ``loss_bbox`` and ``loss_giou`` of the cell that should have won."""
        assert isinstance(features, CellFeatures)  # what ``extract`` gave
        targets = batch.target_boxes
        column, row = (targets[:, :2] * self.feature_size).long().clamp(0, self.feature_size - 1).unbind(dim=1)
        cell = row * self.feature_size + column
        boxes = features.cell_boxes[torch.arange(len(cell), device=cell.device), cell]
        return {'loss_cell': F.cross_entropy(features.scores.float(), cell), **self.box_loss(boxes[None], targets)}
