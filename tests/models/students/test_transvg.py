import pytest
import torch
from mmengine.config import Config

from mmduet.registry import MODELS
from mmduet.structures import padding_mask
from tests.models.students.overfitting import overfit
from tests.models.students.parity_kit import ParityKit
from tests.shared_data import ROOT
from tests.tiny_transvg import make_batch, tiny_transvg_config
from tests.unset_weights import unset_weights


@pytest.fixture(scope='module')
def full_size():
    config = Config.fromfile(ROOT / 'mmduet/configs/_base_/models/transvg_r50.py').model
    config.pretrained = config.text_encoder.pretrained = None
    with unset_weights():
        return MODELS.build(config).eval()


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return MODELS.build(tiny_transvg_config())


def test_parameters_of_the_full_size_are_those_of_the_authors(full_size):
    assert sum(p.numel() for p in full_size.parameters()) == 149_745_860
    frozen = {name.split('.layer')[0] for name, p in full_size.named_parameters() if not p.requires_grad}
    assert frozen == {'visual_encoder.backbone.conv1.weight', 'visual_encoder.backbone',
                      'text_encoder.bert.pooler.dense.weight', 'text_encoder.bert.pooler.dense.bias'}


@pytest.mark.parity
def test_boxes_and_maps_are_those_of_the_authors_code(full_size):
    kit = ParityKit('transvg_r50_640_L20', full_size)
    padding = padding_mask(kit.windows, 640, 20)
    text_padding = kit.inputs['token_mask'] == 0
    got = {'mask_map': padding.float()}
    hooks = [full_size.visual_encoder.backbone.register_forward_hook(lambda *a: got.update(backbone=a[-1][-1])),
             full_size.visual_encoder.encoder.register_forward_hook(lambda *a: got.update(visual_encoder=a[-1])),
             full_size.text_encoder.register_forward_hook(lambda *a: got.update(text=a[-1])),
             full_size.fusion.register_forward_hook(lambda *a: got.update(fusion_out=a[-1])),
             full_size.box_head.register_forward_hook(lambda *a: got.update(box_logits=a[-1], reg_out=a[1][0]))]
    with torch.no_grad():
        features = full_size.encode(kit.inputs['image'], padding, kit.inputs['ids'], text_padding)
        got['boxes'] = features.boxes[-1]
        for hook in hooks:
            hook.remove()
        # The first expression has 7 tokens: without the 12 padded slots its box is the same.
        short = full_size.encode(kit.inputs['image'][:1], padding[:1], kit.inputs['ids'][:1, :8], text_padding[:1, :8])
    kit.check(got, left_out=('fusion_in', 'fusion_mask', 'visual_pos'))
    assert torch.allclose(short.boxes[-1], features.boxes[-1][:1], atol=1e-5)


def test_one_batch_is_overfitted(tiny):
    assert sorted(overfit(tiny)) == ['loss_bbox', 'loss_giou']


def test_a_feature_size_that_the_backbone_does_not_make_is_refused():
    model = MODELS.build(tiny_transvg_config(feature_size=4))
    with pytest.raises(ValueError, match='stride of the student does not fit'):
        model(**model.data_preprocessor(make_batch()), mode='loss')
