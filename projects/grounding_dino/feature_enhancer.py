"""The encoder of MMDetection's Grounding DINO with two masks put right, so that an expression is alone in its batch."""
from typing import Any

from mmdet.models.layers.transformer.grounding_dino_layers import GroundingDinoTransformerEncoder
from mmdet.models.layers.transformer.utils import get_text_sine_pos_embed
from torch import Tensor


def enhance(encoder: GroundingDinoTransformerEncoder, image: dict[str, Any], text: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Let image and words look at each other, layer by layer, as ``encoder.forward`` does.

    MMDetection fills the mask that hides the padding of the text where it is already set, so that the image looks at padding
    (open-mmlab/mmdetection, issue 11803), and repeats the masks of sentences heads first where attention counts expressions
    first, so that an expression is cut at the full stops of another. Both make an answer depend on its batch. For one
    expression alone the results are MMDetection's.

    Args:
        encoder: the detector's.
        image: what ``pre_transformer`` gives for it.
        text: of a ``GroundingBert``, with ``embedded`` (B, L, C) in the encoder's width.

    Returns:
        (B, N, C) cells of all levels and (B, L, C) words.
    """
    cells, words, real = image['feat'], text['embedded'], text['text_token_mask']
    places = encoder.get_encoder_reference_points(image['spatial_shapes'], image['valid_ratios'], device=cells.device)
    positions = get_text_sine_pos_embed(text['position_ids'][..., None], num_pos_feats=words.shape[2], exchange_xy=False)
    for layer, text_layer, fusion in zip(encoder.layers, encoder.text_layers, encoder.fusion_layers, strict=True):
        # Where this mask is 0 the fusion puts minus infinity; the 1 it adds elsewhere cancels in the softmax.
        cells, words = fusion(visual_feature=cells, lang_feature=words, attention_mask_v=image['feat_mask'],
                              attention_mask_l=real.to(words.dtype))
        heads = text_layer.self_attn_cfg.num_heads
        words = text_layer(query=words, query_pos=positions, attn_mask=~text['masks'].repeat_interleave(heads, dim=0),
                           key_padding_mask=None)
        cells = layer(query=cells, query_pos=image['feat_pos'], reference_points=places, key_padding_mask=image['feat_mask'],
                      spatial_shapes=image['spatial_shapes'], level_start_index=image['level_start_index'])
    return cells, words
