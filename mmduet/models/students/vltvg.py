"""VLTVG (Yang et al., CVPR 2022): verify every visual token by the text, then decode the box over several stages."""
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.layers.attention import RelativePositionAttention, TokenAttention
from mmduet.models.layers.token_fusion import tokens_to_map
from mmduet.models.layers.transformer import init_matrices
from mmduet.models.weights import load_partial_weights
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures, attention_map, expand_images


class VisualLinguisticVerification(nn.Module):
    """Discriminative features of the visual tokens: where the text fits, and the context that it describes.

    C channels; heads and dropout are of the three attentions; ``feature_size`` is the side of the map.
    """

    def __init__(self, channels: int, heads: int, dropout: float, feature_size: int) -> None:
        super().__init__()
        self.word_attention = TokenAttention(channels, heads, dropout)
        self.word_proj = nn.Linear(channels, channels)
        self.cell_proj = nn.Linear(channels, channels)
        self.scale = nn.Parameter(torch.tensor([1.0]))
        self.sigma = nn.Parameter(torch.tensor([0.5]))
        self.condition_attention = TokenAttention(channels, heads, dropout)
        self.context_attention = RelativePositionAttention(channels, heads, dropout, feature_size)
        self.cell_norm = nn.LayerNorm(channels)
        self.context_norm = nn.LayerNorm(channels)

    def forward(self, visual: Tensor, visual_padding: Tensor | None, text: Tensor, attend_text: Tensor) -> Tensor:
        """(B, N, C) verified features of (B, N, C) visual tokens for (B, L, C) text tokens.

        ``visual_padding`` is as in ``RelativePositionAttention``, ``attend_text`` (B, 1, 1, L) bool, True at real text tokens.
        """
        found = self.word_attention(visual, text, text, attend_text)  # the text that each visual token attends to
        fit = F.cosine_similarity(self.cell_proj(visual).float(), self.word_proj(found).float(), dim=-1)[..., None]
        score = (self.scale * torch.exp(-(1 - fit)**2 / (2 * self.sigma**2))).to(visual.dtype)
        condition = self.condition_attention(visual, text, text, attend_text)
        context = self.context_attention(visual + condition, visual, visual_padding)
        return (self.cell_norm(visual) + self.context_norm(context)) * score


class DecoderLayer(nn.Module):
    """One stage of the decoder: attend to the text, by that to the visual tokens, update the state."""

    def __init__(self, channels: int, heads: int, feedforward: int, dropout: float, feedforward_dropout: float) -> None:
        super().__init__()
        self.word_attn = TokenAttention(channels, heads, dropout)
        self.img_attn = TokenAttention(channels, heads, dropout)
        self.ffn = nn.Sequential(nn.Linear(channels, feedforward), nn.ReLU(), nn.Dropout(feedforward_dropout),
                                 nn.Linear(feedforward, channels), nn.Dropout(feedforward_dropout))
        self.norm = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, state: Tensor, queries: tuple[Tensor, Tensor], visual: Tensor, keys: Tensor,
                attend_visual: Tensor | None, text: Tensor, attend_text: Tensor, weights: list[Tensor] | None = None) -> Tensor:
        """Update a (B, 1, C) state; ``queries`` are added to what attends to text and image, the rest as in the decoder."""
        from_text = self.norm[0](self.word_attn(state + queries[0], text, text, attend_text))
        from_image = self.img_attn(from_text + queries[1], keys, visual, attend_visual)
        if weights is not None:
            weights.append(self.img_attn.weights(from_text + queries[1], keys, attend_visual)[:, 0])
        state = self.norm[1](state + from_image)
        return self.norm[2](state + self.ffn(state))


class MultiStageDecoder(nn.Module):
    """Localise one object over several stages with weights of their own.

    Args:
        num_stages: S, at least 1.
        channels, heads, feedforward: C, the heads of all attentions, and the hidden width of the two-layer networks.
        dropout, feedforward_dropout: of the attention weights, and of both layers of the networks, where the authors have none.
    """

    def __init__(self, num_stages: int, channels: int, heads: int = 8, feedforward: int = 2048, dropout: float = 0.1,
                 feedforward_dropout: float = 0.0) -> None:
        super().__init__()
        if num_stages < 1:
            raise ValueError(f'a decoder needs at least one stage, got {num_stages}')
        self.layers = nn.ModuleList(DecoderLayer(channels, heads, feedforward, dropout, feedforward_dropout)
                                    for _ in range(num_stages))
        self.norm = nn.LayerNorm(channels)
        self.visual_query = nn.Embedding(1, channels)
        self.word_query = nn.Embedding(1, channels)

    def forward(self, visual: Tensor, keys: Tensor, attend_visual: Tensor | None, text: Tensor, attend_text: Tensor,
                weights: list[Tensor] | None = None) -> list[Tensor]:
        """S states of (B, C), for (B, L, C) text tokens and (B, N, C) values and keys of the attention to the image.

        The masks, (B, 1, 1, N) and (B, 1, 1, L) bool, are True where a token is real; None for all. The (B, N) weights by
        which each stage attends to the image are added to the list ``weights``, if there is one.
        """
        queries = self.visual_query.weight.to(text.dtype), self.word_query.weight.to(text.dtype)
        state = text.new_zeros(text.shape[0], 1, text.shape[2])
        states = []
        for layer in self.layers:
            state = layer(state, queries, visual, keys, attend_visual, text, attend_text, weights)
            states.append(self.norm(state)[:, 0])
        return states


@MODELS.register_module()
class VLTVG(BaseGrounder):
    """Visual encoder, text encoder, visual-linguistic verification, a decoder of several stages and a box head on each.

    Padding of the canvas is attended to like the image, as the authors' data pipeline has it: their masks are empty.

    Args:
        visual_encoder: config of a ``VisualEncoder``; its channels are C.
        text_encoder: config of a ``BertTextEncoder``; its ``max_tokens`` is L.
        decoder: config of a ``MultiStageDecoder`` without its channels; the verification has the same heads and dropout.
        box_head: config of a ``BoxHead``, without its channels.
        box_loss: config of a ``StagedBoxLoss``.
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        score_head: config of a ``ScoreHead``; None for scores of 1.
        feature_size: side of the visual map; the canvas is ``feature_size * stride`` pixels wide.
        pretrained: file of VLTVG weights in our layout; ``visual_encoder.*`` alone (from DETR) will do. None for random.
    """

    visual_reads_text = False
    convolves_pixels = True

    def __init__(self, visual_encoder: dict[str, Any], text_encoder: dict[str, Any], decoder: dict[str, Any],
                 box_head: dict[str, Any], box_loss: dict[str, Any], data_preprocessor: dict[str, Any], feature_size: int = 20,
                 pretrained: str | None = None, score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, box_loss, score_head)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        self.channels = channels = self.visual_encoder.channels
        self.text_proj = nn.Linear(self.text_encoder.channels, channels)
        self.verifier = VisualLinguisticVerification(channels, decoder.get('heads', 8), decoder.get('dropout', 0.1),
                                                     feature_size)
        self.decoder = MultiStageDecoder(channels=channels, **decoder)
        self.box_head = MODELS.build({'channels': channels, **box_head})
        self.use_tokenizer(self.text_encoder.tokenizer)
        # Nothing is left out as padding: it is attended to like the image, so every token counts.
        self.feature_size = feature_size
        init_matrices(self.verifier)
        init_matrices(self.decoder.layers)
        load_partial_weights(self, pretrained)

    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract``.

        ``visual`` is the map of the visual encoder, ``query`` the state of the last stage. ``visual_padding`` says where the
        canvas is empty, though the network attends to it.
        """
        return self._encode(batch)

    def extract_with_attention(self, batch: GroundingBatch) -> GroundingFeatures:
        """See ``BaseGrounder.extract_with_attention``; it is that of the last stage, without what went to the empty canvas."""
        return self._encode(batch, attention=True)

    def _encode(self, batch: GroundingBatch, attention: bool = False) -> GroundingFeatures:
        padding = batch.padding(self.feature_size)
        features = self.encode(batch.pixels, torch.zeros_like(padding), *batch.tokens, batch.shared_index, False, attention)
        padding = batch.expand(padding)
        looked = None if features.attention is None else attention_map(features.attention, padding)
        return replace(features, visual_padding=padding, attention=looked)

    def encode(self, pixels: Tensor, visual_padding: Tensor, token_ids: Tensor, text_padding: Tensor,
               image_index: Tensor | None = None, has_padding: bool = True, attention: bool = False) -> GroundingFeatures:
        """Run the network; arguments as in ``TransVG.encode``."""
        visual = expand_images(self.visual_encoder(pixels, visual_padding, has_padding=has_padding), image_index)
        visual_padding = expand_images(visual_padding, image_index)
        visual_tokens = visual.flatten(2).transpose(1, 2)
        text = self.text_proj(self.text_encoder(token_ids, text_padding))
        attend_text = ~text_padding[:, None, None, :]
        token_padding = visual_padding.flatten(1)
        attend_visual = ~token_padding[:, None, None, :] if has_padding else None
        verified = self.verifier(visual_tokens, token_padding if has_padding else None, text, attend_text)
        keys = verified + self.visual_encoder.position_tokens(visual_padding).to(verified.dtype)
        weights: list[Tensor] | None = [] if attention else None
        states = self.decoder(visual_tokens, keys, attend_visual, text, attend_text, weights)
        looked = attention_map(weights[-1].unflatten(1, visual_padding.shape[1:]), visual_padding) if weights else None
        boxes = torch.stack([self.box_head(state, verified, token_padding) for state in states]).sigmoid()
        return GroundingFeatures(boxes=boxes, query=states[-1], visual=visual, visual_padding=visual_padding,
                                 fused=tokens_to_map(verified, visual_padding.shape[1:]), text=text, text_padding=text_padding,
                                 attention=looked)
