import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack
from mmengine.config import Config
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.utils.dl_utils import mmcv_full_available
from torch import nn
from torch.optim import AdamW

from mmduet.engine.config_tools import ConfigError
from mmduet.engine.optim import GroundingOptimWrapperConstructor, MixedPrecisionOptimWrapper
from mmduet.registry import MODELS
from tests.shared_data import ROOT
from tests.tiny_grounder import TinyGrounder
from tests.tiny_transvg import tiny_transvg_config

CUSTOM = dict(backbone=dict(lr_mult=0.1), text_encoder=dict(lr_mult=0.5, decay_mult=0.0), box_head=dict(betas=(0.5, 0.9)))
OPTION_SETS = [None, dict(custom_keys=CUSTOM), dict(bias_lr_mult=2.0, bias_decay_mult=0.0), dict(norm_decay_mult=0.0),
               dict(flat_decay_mult=0.0), dict(dwconv_decay_mult=0.0), dict(bypass_duplicate=True, bias_lr_mult=2.0),
               dict(dcn_offset_lr_mult=0.1, custom_keys=CUSTOM, bias_lr_mult=2.0, norm_decay_mult=0.0, flat_decay_mult=0.5,
                    dwconv_decay_mult=0.25)]


def construct(paramwise=None, **optimizer):
    return GroundingOptimWrapperConstructor(
        dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-2, weight_decay=0.1) | optimizer), paramwise)


def groups_of(model, paramwise=None):
    groups = []
    construct(paramwise).add_params(groups, model)
    return groups


def student():
    """A TransVG with the two layers that options name and it has not: a depth-wise and a deformable convolution."""
    model = MODELS.build(tiny_transvg_config())
    model.depthwise, model.deformable = nn.Conv2d(4, 4, 3, groups=4), ModulatedDeformConv2dPack(4, 4, 3)
    return model


def distilled():
    model = MODELS.build(Config.fromfile(ROOT / 'tests/tiny_cached_config.py').model)
    model.student.depthwise, model.student.deformable = nn.Conv2d(4, 4, 3, groups=4), ModulatedDeformConv2dPack(4, 4, 3)
    return model


def settings(wrapper):
    return {id(parameter): (group['lr'], group['weight_decay'], group['betas'])
            for group in wrapper.optimizer.param_groups for parameter in group['params'] if parameter.requires_grad}


@pytest.fixture(scope='module', params=[student, distilled])
def model(request):
    return request.param()


@pytest.mark.parametrize('options', OPTION_SETS)
def test_every_parameter_has_the_settings_that_mmengine_gives_it_in_a_handful_of_groups(model, options):
    wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-2, weight_decay=0.1))
    theirs = DefaultOptimWrapperConstructor(wrapper, options)(model)
    ours = GroundingOptimWrapperConstructor(wrapper, options)(model)
    assert settings(ours) == settings(theirs)
    assert set(settings(ours)) == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert len(ours.optimizer.param_groups) <= 12
    if options is not None:
        assert len(theirs.optimizer.param_groups) > 20


def test_options_meet_their_layers():
    """So that the comparison with MMEngine compares more than the defaults."""
    model = student()
    wrapper = construct(dict(dcn_offset_lr_mult=0.5, dwconv_decay_mult=0.25))(model)
    found = settings(wrapper)
    # MMEngine looks for the offsets of MMCV's layers, which mmcv-lite has not.
    assert found[id(model.deformable.conv_offset.weight)][0] == (5e-3 if mmcv_full_available() else 1e-2)
    assert found[id(model.depthwise.weight)][1] == 0.025


def test_equal_groups_are_merged_and_the_base_rate_comes_first():
    model = TinyGrounder()
    groups = groups_of(model, dict(custom_keys=dict(backbone=dict(lr_mult=0.1), text_encoder=dict(lr_mult=0.1))))
    assert [(group['lr'], group['weight_decay'], len(group['params'])) for group in groups] == [(1e-2, 0.1, 4), (1e-3, 0.1, 3)]


def test_a_student_in_a_wrapper_gets_the_same_groups_and_a_frozen_teacher_none():
    student = TinyGrounder()
    wrapper = nn.Module()
    wrapper.student, wrapper.teacher, wrapper.head = student, nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2)
    groups = groups_of(wrapper, dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
    assert [(group['lr'], len(group['params'])) for group in groups] == [(1e-2, 7), (1e-3, 2)]
    grouped = {id(parameter) for group in groups for parameter in group['params']}
    assert not grouped & {id(parameter) for parameter in wrapper.teacher.parameters()}


def test_the_longest_key_wins_and_decay_options_spare_norms_and_biases():
    model = TinyGrounder()
    groups = groups_of(model, dict(custom_keys={'box': dict(lr_mult=2.0), 'box_head.bias': dict(lr_mult=3.0, decay_mult=0.0)},
                                   norm_decay_mult=0.0, bias_decay_mult=0.5))
    found = {(round(group['lr'], 6), group['weight_decay']): [tuple(p.shape) for p in group['params']] for group in groups}
    assert found == {(0.03, 0.0): [(4, )], (0.02, 0.1): [(4, 8)], (0.01, 0.1): [(8, 3, 8, 8), (64, 8)], (0.01, 0.05): [(8, )],
                     (0.01, 0.0): [(8, ), (8, )]}


def test_a_shared_parameter_is_grouped_once():
    model = nn.ModuleDict({'a': nn.Linear(2, 2), 'b': nn.Linear(2, 2)})
    model['b'].weight = model['a'].weight
    for options in (None, dict(bypass_duplicate=False), dict(bypass_duplicate=True, custom_keys={'b.': dict(lr_mult=0.1)})):
        groups = groups_of(model, options)
        assert sum(len(group['params']) for group in groups) == 3
    # The first module that has it decides.
    assert {len(group['params']): group['lr'] for group in groups} == {2: 1e-2, 1: 1e-3}


def test_unknown_options_and_a_missing_rate_are_refused():
    with pytest.raises(ValueError, match=r"paramwise_cfg does not know 'norm_decay'; nearest: norm_decay_mult"):
        construct(dict(norm_decay=0))
    with pytest.raises(ValueError, match=r"custom_keys\['backbone'\] does not know 'lrmult'; nearest: lr_mult"):
        construct(dict(custom_keys=dict(backbone=dict(lrmult=1))))


def test_nothing_trainable_is_refused():
    with pytest.raises(ValueError, match='Linear has no trainable parameter'):
        groups_of(nn.Linear(1, 1).requires_grad_(False))


def test_a_key_that_covers_no_parameter_is_refused_and_one_of_frozen_ones_is_warned_of(monkeypatch):
    model, said = nn.ModuleDict({'visual_encoder': nn.Linear(1, 1), 'text_encoder': nn.Linear(1, 1).requires_grad_(False)}), []
    monkeypatch.setattr('mmduet.engine.optim.print_log', lambda text, level=20, **_: said.append(text) if level == 30 else None)
    with pytest.raises(ConfigError, match=r"no parameter has 'visual_encodr' in its name; nearest: visual_encoder"):
        groups_of(model, dict(custom_keys={'visual_encodr': dict(lr_mult=0.1)}))
    with pytest.raises(ConfigError, match=r"has 'laterals' in its name\. It may be in visual_encoder, text_encoder; .*keys"):
        groups_of(model, dict(custom_keys={'laterals': dict(lr_mult=0.1)}))
    assert said == []
    groups_of(model, dict(custom_keys={'text_encoder': dict(lr_mult=0.1), 'visual_encoder.w': dict(lr_mult=0.1)}))
    assert said == ["paramwise_cfg: no trainable parameter has 'text_encoder' in its name"]


def test_an_optimizer_without_a_rate_is_refused():
    with pytest.raises(ValueError, match='needs an optimizer with its lr'):
        GroundingOptimWrapperConstructor(dict(optimizer=dict(type=AdamW)))


def test_bf16_on_a_cpu_computes_in_bf16_and_updates_float32_weights():
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
    wrapper = MixedPrecisionOptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.5), dtype='bf16', device='cpu')
    with wrapper.optim_context(layer):
        output = layer(torch.tensor([[3.0, 4.0]]))
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().sum())
    assert layer.weight.dtype == torch.float32
    assert layer.weight.tolist() == [[-0.5, 0.0]]


def test_the_state_of_mixed_precision_goes_into_full_precision_and_back():
    layer = nn.Linear(2, 1)
    mixed = MixedPrecisionOptimWrapper(AdamW(layer.parameters(), lr=0.25), device='cpu')
    plain = OptimWrapper(AdamW(layer.parameters(), lr=0.5))
    mixed.load_state_dict(plain.state_dict())
    assert mixed.optimizer.param_groups[0]['lr'] == 0.5
    mixed.load_state_dict(mixed.state_dict())


def test_fp16_on_a_cpu_and_unknown_types_are_refused():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1)
    with pytest.raises(ValueError, match='fp16 needs a CUDA device, and training runs on cpu: use bf16'):
        MixedPrecisionOptimWrapper(optimizer, dtype='fp16', device='cpu')
    with pytest.raises(ValueError, match="got 'int8'"):
        MixedPrecisionOptimWrapper(optimizer, dtype='int8', device='cpu')


@pytest.mark.parametrize(('native', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_the_precision_that_fits_the_cpu(monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False)
    layer = nn.Linear(2, 1, bias=False)
    wrapper = MixedPrecisionOptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.5), dtype='auto', device='cpu')
    with wrapper.optim_context(layer):
        output = layer(torch.tensor([[3.0, 4.0]]))
    assert output.dtype == wrapper.cast_dtype == dtype
    assert not wrapper.loss_scaler.is_enabled()
    before = layer.weight.detach().clone()
    wrapper.update_params(output.float().sum())
    assert torch.equal(layer.weight, before - 0.5 * torch.tensor([[3.0, 4.0]]))


def test_gradients_are_accumulated_and_averaged():
    weight = nn.Parameter(torch.zeros(1))
    wrapper = MixedPrecisionOptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=2, device='cpu')
    wrapper.update_params((weight * 2).sum())
    assert weight.item() == 0
    wrapper.update_params((weight * 4).sum())
    assert weight.item() == -3
