import pytest
import torch
from mmengine.config import Config

from mmduet.registry import MODELS
from mmduet.structures import padding_mask
from tests.models.students.overfitting import overfit
from tests.models.students.parity_kit import ParityKit
from tests.shared_data import ROOT
from tests.tiny_transvg import make_batch
from tests.tiny_vltvg import tiny_vltvg_config
from tests.unset_weights import unset_weights


@pytest.fixture(scope='module')
def full_size():
    config = Config.fromfile(ROOT / 'mmduet/configs/_base_/models/vltvg_r50.py').model
    config.pretrained = config.text_encoder.pretrained = None
    with unset_weights():
        return MODELS.build(config).eval()


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return MODELS.build(tiny_vltvg_config())


def test_parameters_of_the_full_size_are_those_of_the_authors(full_size):
    assert sum(p.numel() for p in full_size.parameters()) == 152_077_254
    assert sum(p.numel() for p in full_size.parameters() if p.requires_grad) == 151_264_262


@pytest.mark.parity
@pytest.mark.parametrize('name', ['vltvg_r50_640_L40', 'vltvg_r50_640_L40_masked'])
def test_boxes_of_every_stage_and_maps_are_those_of_the_authors_code(full_size, name):
    kit = ParityKit(name, full_size)
    inputs = kit.inputs
    padding = padding_mask(kit.windows, 640, 20) & (not kit.spec['input_spec']['mask_is_zero'])
    got, heads = {}, []
    parts = {'visual_encoder': full_size.visual_encoder.encoder, 'text': full_size.text_encoder,
             'text_proj': full_size.text_proj, 'context': full_size.verifier.context_attention}
    hooks = [part.register_forward_hook(lambda *a, key=key: got.update({key: a[-1]})) for key, part in parts.items()]
    hooks += [full_size.visual_encoder.backbone.register_forward_hook(lambda *a: got.update(backbone=a[-1][-1])),
              full_size.verifier.register_forward_hook(lambda *a: got.update(fused=torch.cat([a[1][0], a[-1]], dim=-1))),
              full_size.box_head.register_forward_hook(lambda *a: heads.append((a[1][0], a[-1])))]
    with torch.no_grad():
        features = full_size.encode(inputs['image'], padding, inputs['ids'], inputs['token_mask'] == 0,
                                    has_padding=bool(padding.any()))
    for hook in hooks:
        hook.remove()
    states, logits = (torch.stack(tensors) for tensors in zip(*heads, strict=True))
    got.update(stage_states=states, box_logits=logits, stage_boxes=features.boxes, boxes=features.boxes[-1])
    kit.check(got)


def test_the_visual_map_knows_no_words_and_the_padding_is_reported_though_it_is_attended_to(tiny):
    tiny.eval()
    data = tiny.data_preprocessor(make_batch())
    with torch.no_grad():
        before = tiny(**data, mode='tensor')
        masked = tiny.encode(data['batch'].pixels, before.visual_padding, *tiny.text_encoder.tokenizer(['big dog', 'big dog']))
        other = tiny.data_preprocessor(make_batch(texts=('a small cat', 'a small cat')))
        after = tiny(**other, mode='tensor')
    assert torch.equal(before.visual, after.visual)
    assert not torch.allclose(before.boxes, after.boxes, atol=1e-4)
    # The first image leaves a row of tokens above and one below, the second two columns on each side.
    assert before.visual_padding.sum(dim=(1, 2)).tolist() == [16, 32]
    assert not torch.allclose(before.visual[0, :, 3, 3], masked.visual[0, :, 3, 3], atol=1e-4)


def test_all_stages_are_trained_and_one_batch_is_overfitted(tiny):
    losses = overfit(tiny)
    assert sorted(losses) == ['loss_bbox', 'loss_bbox_0', 'loss_bbox_1', 'loss_giou', 'loss_giou_0', 'loss_giou_1']


def test_the_query_is_what_the_last_box_is_read_from(tiny):
    tiny.eval()
    with torch.no_grad():
        features = tiny(**tiny.data_preprocessor(make_batch()), mode='tensor')
        again = tiny.box_head(features.query, features.visual, features.visual_padding).sigmoid()
    assert features.boxes.shape == (3, 2, 4)
    assert torch.equal(features.boxes[-1], again)


def test_images_of_a_size_that_the_position_tables_do_not_allow_are_refused():
    model = MODELS.build(tiny_vltvg_config(feature_size=4))
    with pytest.raises(ValueError, match=r'map is \(8, 8\), its padding mask \(4, 4\).*size of the canvas its feature_size'):
        model(**model.data_preprocessor(make_batch()), mode='loss')


def test_a_decoder_without_a_stage_and_a_mean_of_more_layers_than_there_are_is_refused():
    with pytest.raises(ValueError, match='at least one stage, got 0'):
        MODELS.build(tiny_vltvg_config(decoder=dict(num_stages=0, heads=4)))
    config = tiny_vltvg_config()
    config['text_encoder']['mean_of_last'] = 3
    with pytest.raises(ValueError, match='BERT of 2 layers has no mean of its last 3'):
        MODELS.build(config)
