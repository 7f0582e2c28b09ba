"""Text embeddings of CLIP without its padding."""
from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer, text_global_pool
from torch import Tensor, nn

from mmduet.models.moving import move


def encode_texts(clip: Any, tokens: Tensor, device: torch.device) -> Tensor:
    """Embed token sequences as ``clip.encode_text`` does, without computing what comes after the last end of text.

    In a causal tower no token sees a later one, so the embedding, taken at the end of the text, is the same, and a batch of
    short expressions costs a fraction of the 77 tokens. Other towers run in full.

    Args:
        clip: an open_clip model on ``device``.
        tokens: (N, L) int64 on the CPU.

    Returns:
        (N, D), not of unit norm.
    """
    tower = getattr(clip, 'text', clip)
    pooling = getattr(tower, 'pool_type', None) or getattr(tower, 'text_pool_type', None)
    if not _is_causal(clip, tower) or pooling not in ('argmax', 'eos'):
        return clip.encode_text(move(tokens, device))
    end_token: int = tower.text_eos_id if tower is clip else tower.eos_id
    ends = tokens.argmax(dim=1) if pooling == 'argmax' else tokens.eq(end_token).int().argmax(dim=1)
    length = int(ends.max()) + 1
    tokens = move(tokens[:, :length], device)
    states = tower.token_embedding(tokens) + tower.positional_embedding[:length]
    states = tower.ln_final(tower.transformer(states, attn_mask=tower.attn_mask[:length, :length]))
    pooled = text_global_pool(states, tokens, pooling, eos_token_id=end_token)
    projection = tower.text_projection
    if isinstance(projection, nn.Linear):
        embeddings = projection(pooled)
    else:
        embeddings = pooled if projection is None else pooled @ projection
    return embeddings


def _is_causal(clip: Any, tower: Any) -> bool:
    known = isinstance(clip, CLIP) or (isinstance(tower, TextTransformer) and tower.cls_emb is None)
    return known and tower.attn_mask is not None
