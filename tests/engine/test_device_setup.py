"""What a config says of the device."""
import copy

import pytest
import torch
from torch import nn

from mmduet.engine.config_tools import ConfigError
from mmduet.engine.device_setup import compile_model, fit_to_device, set_tf32
from mmduet.models.cpu.linear import CPULinear
from mmduet.models.folding import FoldedConv2d
from mmduet.models.layers import FrozenBatchNorm2d
from mmduet.registry import MODELS
from tests.fake_gpu import fake_gpu
from tests.tiny_transvg import make_batch, tiny_transvg_config


@pytest.fixture(autouse=True)
def flags():
    """TF32 as it was."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def build(**changes):
    config = tiny_transvg_config(**changes)
    config['visual_encoder']['backbone'].update(norm_cfg=dict(type=FrozenBatchNorm2d), norm_eval=False)
    return MODELS.build(config)


@pytest.mark.parametrize(('wanted', 'matrices', 'convolutions'),
                         [(True, True, True), (False, False, False), (None, False, True)])
def test_tf32_is_switched_for_matrices_and_convolutions_and_left_by_none(wanted, matrices, convolutions):
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, True
    said = set_tf32(wanted)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (matrices, convolutions)
    words = {True: 'yes', False: 'no'}
    assert said == f'TF32 on the GPU: convolutions {words[convolutions]}, products of matrices {words[matrices]}'
    with pytest.raises(ConfigError, match="must be True, False or None, got 'yes'"):
        set_tf32('yes')


def test_on_a_gpu_frozen_norms_are_folded_unless_the_config_says_otherwise(monkeypatch):
    monkeypatch.setattr('mmduet.engine.device_setup.get_device', lambda: 'cuda')
    said = fit_to_device({'env_cfg': {'tf32': True}}, model := build())
    assert said == ['TF32 on the GPU: convolutions yes, products of matrices yes',
                    '10 frozen batch norms are computed by the convolutions before them.']
    assert sum(type(part) is FoldedConv2d for part in model.modules()) == 10
    assert not any(type(part) is CPULinear for part in model.modules())
    fit_to_device({'fold_frozen_norms': False}, model := build())
    assert not any(type(part) is FoldedConv2d for part in model.modules())


@pytest.mark.parametrize(('cfg', 'kind'), [({}, CPULinear), ({'optimise_for_cpu': False}, nn.Linear),
                                           ({'compile': True}, nn.Linear)])
def test_on_a_cpu_a_model_is_optimised_for_it(cfg, kind, monkeypatch):
    monkeypatch.setattr('mmduet.engine.device_setup.get_device', lambda: 'cpu')
    model = build()
    assert fit_to_device(cfg, model) == [] and type(model.visual_proj) is kind
    assert fit_to_device({'env_cfg': {'tf32': False}}, model)[0].endswith('matrices no')


def test_folding_leaves_a_gpu_as_many_operations_as_there_are_and_none_of_them_a_norm():
    """A product of weights takes the place of a norm; after the first step its constants are there."""
    launched = {}
    plain = build()
    folded = copy.deepcopy(plain)
    fit_to_device({}, folded)
    for name, model in (('plain', plain), ('folded', folded)):
        with fake_gpu(model) as counted:
            for _ in range(2):
                counted.clear()
                model(model.data_preprocessor(make_batch(), True)['batch'], 'loss')
            launched[name] = list(counted)
    norms = [sum('batch_norm' in operation for operation in launched[name]) for name in ('plain', 'folded')]
    assert norms == [10, 0]
    assert len(launched['folded']) <= len(launched['plain']) + 10  # a view of the factors is none on a real one


@pytest.mark.parametrize(('options', 'count'), [(None, 0), (False, 0), (True, 1), (dict(backend='eager'), 1)])
def test_a_model_is_compiled_as_the_config_says(options, count):
    model = build()
    said = compile_model(options, model)
    assert said == ['Compiled at the first call for each length of text: TransVG.'] * count
    assert (model._compiled_call_impl is not None) == bool(count)
