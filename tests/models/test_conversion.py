import json

import pytest
import torch
from mmengine.config import Config

from mmduet.engine.config_tools import drop_pretrained
from mmduet.models.conversion import CLIP_VG, DETR, QRNET, SWIN_MASK_RCNN, TRANSVG, VLTVG, convert, recognise
from mmduet.models.weights import require_fit
from mmduet.registry import MODELS
from tests.shared_data import ROOT, shared
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


def _names_and_shapes(kit):
    """A checkpoint of the authors without its numbers."""
    spec = json.loads(shared(f'parity/dev/{kit}.json').read_text())['state_dict']
    return {name: torch.empty(shape, device='meta') for name, shape, _ in spec}


@pytest.mark.parametrize(('kit', 'model', 'layout'), [('qrnet_swins_640_L20', 'qrnet_swin_s', QRNET),
                                                      ('clipvg_vitb16_224_L77', 'clip_vg_vit_b16', CLIP_VG)])
def test_every_name_and_shape_of_the_authors_finds_its_place(kit, model, layout):
    config = Config.fromfile(ROOT / f'mmduet/configs/_base_/models/{model}.py')
    drop_pretrained(config)
    with torch.device('meta'):
        student = MODELS.build(config.model)
    weights = _names_and_shapes(kit)
    assert recognise(weights) is layout
    require_fit(student, convert(weights, layout), kit)
    another = next(key for key in weights if key.startswith('vl_pos_embed'))
    weights[another] = torch.empty(541, weights[another].shape[1], device='meta')
    with pytest.raises(ValueError, match=r'theirs\.pth does not fit \w+: 1 of another shape \(positions\.weight \(541, '):
        require_fit(student, convert(weights, layout), 'theirs.pth')


def test_a_mask_rcnn_gives_qrnet_its_swin_and_its_lateral_convolutions():
    weights = {'backbone.patch_embed.proj.bias': WEIGHT, 'backbone.layers.0.blocks.1.attn.qkv.bias': WEIGHT,
               'backbone.layers.0.blocks.1.mlp.fc1.bias': WEIGHT, 'backbone.layers.0.blocks.1.mlp.fc2.bias': WEIGHT,
               'backbone.norm0.bias': WEIGHT, 'neck.lateral_convs.0.conv.bias': WEIGHT, 'neck.fpn_convs.0.conv.bias': WEIGHT,
               'rpn_head.rpn_conv.bias': WEIGHT, 'roi_head.bbox_head.fc_cls.bias': WEIGHT}
    assert recognise(weights) is SWIN_MASK_RCNN
    assert sorted(convert(weights, SWIN_MASK_RCNN)) == [
        'backbone.norm0.bias', 'backbone.patch_embed.projection.bias', 'backbone.stages.0.blocks.1.attn.w_msa.qkv.bias',
        'backbone.stages.0.blocks.1.ffn.layers.0.0.bias', 'backbone.stages.0.blocks.1.ffn.layers.1.bias', 'laterals.0.bias']
    # One of MMDetection 3 has the names that are ours already.
    modern = {'backbone.patch_embed.projection.bias': WEIGHT, 'backbone.stages.0.blocks.1.attn.w_msa.qkv.bias': WEIGHT,
              'backbone.norm0.bias': WEIGHT, 'neck.lateral_convs.0.conv.bias': WEIGHT, 'roi_head.x': WEIGHT}
    assert sorted(convert(modern, recognise(modern))) == [
        'backbone.norm0.bias', 'backbone.patch_embed.projection.bias', 'backbone.stages.0.blocks.1.attn.w_msa.qkv.bias',
        'laterals.0.bias']


def test_patch_merging_is_reordered_from_patch_after_patch_to_channel_after_channel():
    # Two channels of four patches, in the order of the first Swin: top left, bottom left, top right, bottom right.
    theirs = torch.tensor([0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0])
    merging = 'backbone.layers.0.downsample.'
    weights = {f'{merging}norm.weight': theirs, f'{merging}reduction.weight': theirs[None],
               'backbone.patch_embed.norm.weight': WEIGHT, 'neck.lateral_convs.0.conv.bias': WEIGHT}
    ours = convert(weights, SWIN_MASK_RCNN)
    expected = [0.0, 20.0, 10.0, 30.0, 1.0, 21.0, 11.0, 31.0]
    assert ours['backbone.stages.0.downsample.norm.weight'].tolist() == expected
    assert ours['backbone.stages.0.downsample.reduction.weight'].tolist() == [expected]


def test_transvg_and_qrnet_are_told_apart():
    shared_names = {f'{prefix}x': WEIGHT for prefix in QRNET.prefixes if prefix in TRANSVG.prefixes}
    theirs = {'visumodel.backbone.layers.0.blocks.0.norm1.bias': WEIGHT, 'visumodel.neck.fpn_down.0.qdatt.x': WEIGHT}
    assert recognise({**shared_names, **theirs, 'scale_embed.weight': WEIGHT}) is QRNET
    assert recognise({**shared_names, 'visumodel.backbone.0.body.conv1.weight': WEIGHT}) is TRANSVG
