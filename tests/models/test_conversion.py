import pytest
import torch

from mmduet.models.conversion import DETR, TRANSVG, VLTVG, convert, recognise
from mmduet.models.weights import require_fit
from mmduet.registry import MODELS
from tests.tiny_vltvg import tiny_vltvg_config

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


def test_vltvg_keys_become_ours():
    weights = {f'{prefix}x.weight': WEIGHT for prefix in VLTVG.prefixes if not prefix.endswith(('tf_scale', 'tf_sigma'))}
    extra = 'trans_decoder.decoder.extra_encoder_layers.0.'
    weights |= {f'{extra}tf_scale': WEIGHT, f'{extra}tf_sigma': WEIGHT, f'{extra}img2img_attn.pos_x': WEIGHT}
    assert recognise(weights) is VLTVG
    ours = convert(weights, VLTVG)
    assert len(ours) == len(weights)
    assert {'verifier.scale', 'verifier.sigma', 'verifier.context_attention.pos_x', 'verifier.word_proj.x.weight',
            'text_proj.x.weight', 'text_encoder.bert.x.weight', 'decoder.layers.x.weight', 'decoder.word_query.x.weight',
            'visual_encoder.encoder.x.weight', 'box_head.x.weight'} <= set(ours)


def test_a_checkpoint_with_half_a_part_is_refused_by_the_model():
    model = MODELS.build(tiny_vltvg_config())
    weights = model.state_dict()
    weights['decoder.layers.9.norm.1.bias'] = weights.pop('decoder.layers.2.norm.1.bias')
    with pytest.raises(ValueError, match=r'does not fit VLTVG: 1 missing \(decoder\.layers\.2\.norm\.1\.bias\); '
                                         r'1 unexpected \(decoder\.layers\.9\.norm\.1\.bias\)'):
        require_fit(model, weights, 'theirs.pth')


def test_a_checkpoint_without_a_whole_part_is_refused():
    weights = {f'{prefix}x.weight': WEIGHT for prefix in VLTVG.prefixes if prefix not in ('bbox_embed.', 'bert.')}
    with pytest.raises(ValueError, match=r'vltvg checkpoint is not whole: no key begins with bbox_embed\., bert\.$'):
        convert(weights, VLTVG)


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
    with pytest.raises(ValueError, match='unknown checkpoint layout with head, stem; known: transvg, vltvg, qrnet'):
        recognise({'stem.weight': WEIGHT, 'head.weight': WEIGHT})
