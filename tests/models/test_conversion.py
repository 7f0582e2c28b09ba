import pytest
import torch

from mmduet.models.conversion import DETR, TRANSVG, convert, recognise

WEIGHT = torch.ones(1)


def test_transvg_keys_become_ours():
    weights = {f'{prefix}x.weight': WEIGHT for prefix in TRANSVG.prefixes}
    weights['textmodel.bert.embeddings.position_ids'] = WEIGHT
    weights['visumodel.backbone.0.body.bn1.num_batches_tracked'] = WEIGHT
    assert recognise(weights) is TRANSVG
    assert set(convert(weights, TRANSVG)) == {
        'visual_encoder.backbone.x.weight', 'visual_encoder.input_proj.x.weight', 'visual_encoder.encoder.x.weight',
        'text_encoder.bert.x.weight', 'positions.x.weight', 'query_token.x.weight', 'visual_proj.x.weight',
        'text_proj.x.weight', 'fusion.x.weight', 'box_head.x.weight'}


def test_detr_keeps_backbone_and_encoder_only():
    weights = {'backbone.0.body.conv1.weight': WEIGHT, 'transformer.encoder.layers.0.norm1.bias': WEIGHT,
               'transformer.decoder.norm.weight': WEIGHT, 'class_embed.bias': WEIGHT, 'query_embed.weight': WEIGHT,
               'bbox_embed.layers.0.bias': WEIGHT, 'input_proj.bias': WEIGHT}
    assert recognise(weights) is DETR
    assert sorted(convert(weights, DETR)) == [
        'visual_encoder.backbone.conv1.weight', 'visual_encoder.encoder.layers.0.norm1.bias', 'visual_encoder.input_proj.bias']


def test_a_key_that_the_layout_does_not_know_is_named():
    with pytest.raises(ValueError, match=r"1 keys are not transvg's: surprise\.weight"):
        convert({'visu_proj.weight': WEIGHT, 'surprise.weight': WEIGHT}, TRANSVG)


def test_an_unknown_layout_lists_the_known_ones():
    with pytest.raises(ValueError, match='unknown checkpoint layout with head, stem; known: transvg, detr'):
        recognise({'stem.weight': WEIGHT, 'head.weight': WEIGHT})
