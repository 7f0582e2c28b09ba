import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmduet.engine import GroundingOptimWrapperConstructor
from mmduet.engine.config_tools import drop_pretrained
from mmduet.registry import MODELS
from mmduet.structures import padding_mask
from tests.models.students.overfitting import overfit
from tests.models.students.parity_kit import ParityKit, keep_in
from tests.shared_data import ROOT
from tests.tiny_qrnet import tiny_qrnet_config
from tests.tiny_transvg import make_batch
from tests.unset_weights import unset_weights


@pytest.fixture(scope='module')
def full_size():
    config = Config.fromfile(ROOT / 'mmduet/configs/_base_/models/qrnet_swin_s.py').model
    config.pretrained = config.text_encoder.pretrained = None
    with unset_weights():
        return MODELS.build(config).eval()


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return MODELS.build(tiny_qrnet_config())


def move_gates(model):
    """Give every gate an opinion; at the start all are one half."""
    with torch.no_grad():
        for gate in [*model.stage_gates, *model.pool_gates]:
            for layer in (gate.channel_hidden, gate.channel_out, gate.spatial):
                layer.basis.normal_()


def test_parameters_of_the_full_size_are_those_of_the_authors_without_their_unused_head(full_size):
    # The authors' 273,320,893 have a region proposal head of 593,935 in them, which nothing reads.
    assert sum(p.numel() for p in full_size.parameters()) == 273_320_893 - 593_935


@pytest.mark.parity
def test_boxes_and_maps_are_those_of_the_authors_code(full_size):
    kit = ParityKit('qrnet_swins_640_L20', full_size)
    inputs, windows = kit.inputs, kit.windows
    got = {}
    keep = keep_in(got)
    hooks = [
        full_size.text_encoder.register_forward_hook(keep(text=lambda a, out: out)),
        full_size.stage_gates[0].register_forward_hook(keep(stage1_gated=lambda a, out: out)),
        full_size.backbone.norm1.register_forward_hook(
            keep(swin_stage2=lambda a, out: out.transpose(1, 2).unflatten(2, (80, 80)))),
        full_size.backbone.norm3.register_forward_hook(
            keep(swin_stage4=lambda a, out: out.transpose(1, 2).unflatten(2, (20, 20)))),
        full_size.visual_proj.register_forward_hook(keep(tokens=lambda a, out: a[0])),
        full_size.fusion.register_forward_hook(keep(fusion_in=lambda a, out: a[0], fusion_out=lambda a, out: out,
                                                    fusion_mask=lambda a, out: a[2])),
        full_size.box_head.register_forward_hook(keep(reg_out=lambda a, out: a[0], box_logits=lambda a, out: out))]
    with torch.no_grad():
        features = full_size.encode(inputs['image'], padding_mask(windows, 640, 20), padding_mask(windows, 640, 10),
                                    inputs['ids'], inputs['token_mask'] == 0)
        fine, coarse = got.pop('tokens').split([400, 100], dim=1)
        levels = full_size.levels.weight
        got['neck_20'] = (fine - levels[-2]).transpose(1, 2).unflatten(2, (20, 20))
        got['neck_10'] = (coarse - levels[-1]).transpose(1, 2).unflatten(2, (10, 10))
    for hook in hooks:
        hook.remove()
    kit.check({**got, 'boxes': features.boxes[-1]})


def test_padded_text_does_not_change_the_boxes(tiny):
    tiny.eval()
    move_gates(tiny)
    data = tiny.data_preprocessor(make_batch())
    paddings = torch.zeros(2, 8, 8, dtype=bool), torch.zeros(2, 4, 4, dtype=bool)
    ids, text_padding = data['batch'].tokens
    with torch.no_grad():
        short = tiny.encode(data['batch'].pixels, *paddings, ids, text_padding).boxes
        padded = torch.cat([ids, torch.full((2, 4), 77)], dim=1), torch.cat([text_padding, torch.ones(2, 4, dtype=bool)], dim=1)
        longer = tiny.encode(data['batch'].pixels, *paddings, *padded).boxes
    assert torch.allclose(short, longer, atol=1e-5)


def test_the_visual_map_is_another_for_another_expression_as_the_student_declares(tiny):
    tiny.eval()
    move_gates(tiny)
    data = tiny.data_preprocessor(make_batch())
    with torch.no_grad():
        before = tiny(**data, mode='tensor').visual
        other = tiny.data_preprocessor(make_batch(texts=('a small cat', 'a small cat')))
        after = tiny(**other, mode='tensor').visual
    assert tiny.visual_reads_text
    assert before.shape == (2, 64, 8, 8)
    assert not torch.allclose(before, after, atol=1e-4)


def test_every_gate_starts_at_one_half_whatever_is_asked(tiny):
    tokens, query = torch.randn(2, 5, 32), torch.randn(2, 32)
    assert torch.allclose(tiny.stage_gates[0](tokens, query), tokens / 4)


def test_what_a_runner_calls_before_training_does_not_draw_the_weights_anew(tiny):
    before = {key: value.clone() for key, value in tiny.state_dict().items()}
    tiny.init_weights()
    assert all(torch.equal(value, before[key]) for key, value in tiny.state_dict().items())


def test_one_batch_is_overfitted_and_the_gates_take_part(tiny):
    losses = overfit(tiny)
    assert sorted(losses) == ['loss_bbox', 'loss_giou']
    moved = [layer.basis for gate in [*tiny.stage_gates, *tiny.pool_gates] for layer in (gate.channel_out, gate.spatial)]
    assert all(basis.abs().sum() > 0 for basis in moved)


def test_canvases_of_another_size_than_the_feature_size_are_refused_and_an_odd_one_too(tiny):
    said = r'canvases of \(96, 96\) px for a feature_size of 8, that takes 64 px: set feature_size'
    with pytest.raises(ValueError, match=said):
        tiny.encode(torch.zeros(1, 3, 96, 96), None, None, torch.tensor([[101, 1200, 102]]), torch.zeros(1, 3, dtype=bool))
    with pytest.raises(ValueError, match='it must be even, got 5'):
        MODELS.build(tiny_qrnet_config(feature_size=5))


def test_it_can_be_built_without_memory_for_its_weights():
    with torch.device('meta'):
        model = MODELS.build(tiny_qrnet_config())
    assert model.positions.weight.is_meta
    assert isinstance(model.backbone, nn.Module)


def test_the_recipe_trains_gates_at_the_full_rate_and_what_is_pretrained_at_a_tenth():
    config = Config.fromfile(ROOT / 'mmduet/configs/qrnet/qrnet_refcoco.py')
    drop_pretrained(config)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    wrapper = dict(optimizer=config.optim_wrapper.optimizer)
    groups = []
    GroundingOptimWrapperConstructor(wrapper, config.optim_wrapper.paramwise_cfg).add_params(groups, model)
    rates = {id(parameter): group['lr'] for group in groups for parameter in group['params']}
    slow = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad and rates[id(p)] < 5e-5}
    fast = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad and rates[id(p)] > 5e-5}
    assert [group['lr'] for group in groups] == pytest.approx([1e-4, 1e-5])
    assert slow == {'backbone', 'laterals', 'text_encoder'}
    assert {'stage_gates', 'pool_gates', 'fusion', 'levels', 'box_head'} <= fast
    assert config.train_cfg.max_epochs == 180 and config.param_scheduler[0].milestones == [60]
