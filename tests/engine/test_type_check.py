import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, HOOKS, MODELS, OPTIMIZERS

from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.engine.type_check import UnknownTypeError, check_types, is_known, naming_unknown_types, nearest_names


@pytest.mark.parametrize('name', ['mmduet.TransVG', 'TransVG', 'AdamW', 'mmengine.runner.ValLoop', 'torch.nn.Linear',
                                  'DefaultSampler'])
def test_names_of_every_kind_are_known(name):
    assert is_known(name)


def test_a_bare_name_belongs_to_the_scope_of_its_config():
    assert is_known('CocoDataset', 'mmdet') and not is_known('CocoDataset') and not is_known('TransVG', 'mmdet')
    parts = dict(default_scope='mmdet', data=dict(type='CocoDataset'), model=dict(_scope_='mmduet', type='TransVG'))
    check_types(Config(parts))
    with pytest.raises(UnknownTypeError, match=r"^model\.type: no registry knows 'TransVG'"):
        check_types(Config(dict(parts, model=dict(type='TransVG'))))


@pytest.mark.parametrize('name', ['mmduet.TransVGG', 'Trans', 'mmduet.models.Nothing', 'nowhere.Thing', 'a.b.c'])
def test_names_that_nobody_knows_are_not(name):
    assert not is_known(name)


def test_our_names_come_first_among_the_nearest():
    assert nearest_names('TransVGG')[0] == 'mmduet.TransVG'
    assert nearest_names('mmduet.SLASampller')[0] == 'mmduet.SLASampler'
    assert nearest_names('qqqqqqqqq') == []


def test_the_error_says_where_the_name_stands():
    cfg = Config(dict(model=dict(type='mmduet.DistilledGrounder', parts=[dict(type='mmduet.TransVGG')]),
                      optim_wrapper=dict(clip_grad=dict(type='norm', max_norm=1))))
    sentence = r"^model\.parts\[0\]\.type: no registry knows 'mmduet\.TransVGG'; nearest: mmduet\.TransVG"
    with pytest.raises(UnknownTypeError, match=sentence):
        check_types(cfg)


def test_a_class_that_a_config_imports_but_does_not_exist_is_named(tmp_path):
    (tmp_path / 'bad.py').write_text('from mmduet.models import TransVGG\n\nmodel = dict(type=TransVGG)\n')
    with pytest.raises(UnknownTypeError, match=r'Failed to import TransVGG from mmduet\.models .*nearest: mmduet'):
        check_types(load_config(tmp_path / 'bad.py'))


def test_only_errors_of_registries_are_explained():
    cfg = Config(dict(model=dict(type='TransVGG')))
    with pytest.raises(UnknownTypeError, match='TransVG'), naming_unknown_types(cfg):
        MODELS.build(dict(cfg.model))
    with pytest.raises(RuntimeError, match=r'^out of memory$'), naming_unknown_types(cfg):
        raise RuntimeError('out of memory')


def test_an_argument_that_a_class_refuses_when_it_is_built_is_named_with_the_nearest():
    cfg = Config(dict(model=dict(type='mmduet.BoxLoss', giou_weigth=1)))
    with pytest.raises(ConfigError, match=r"^BoxLoss does not take 'giou_weigth'; nearest: giou_weight"), \
            naming_unknown_types(cfg):
        MODELS.build(dict(cfg.model))
    with pytest.raises(ConfigError, match=r'^JointDataset: missing 1 required .*datasets'), naming_unknown_types(cfg):
        DATASETS.build(dict(type='mmduet.JointDataset'))
    with pytest.raises(TypeError, match='something else'), naming_unknown_types(cfg):
        raise TypeError('something else')


@pytest.mark.parametrize(('registry', 'part', 'sentence'), [
    (HOOKS, dict(type='mmduet.GroundingCheckpointHook', minutes=-1), 'minutes must be positive, got -1'),
    (OPTIMIZERS, dict(type='AdamW', lr=-1.0), 'Invalid learning rate: -1.0'),
    (OPTIMIZERS, dict(type='AdamW', betas=3), "'int' object is not subscriptable")])
def test_a_value_that_a_class_refuses_when_it_is_built_is_named_with_the_class(registry, part, sentence):
    if registry is OPTIMIZERS:
        part['params'] = [torch.nn.Parameter(torch.ones(1))]
    with pytest.raises(ConfigError) as caught, naming_unknown_types(Config()):
        registry.build(part)
    assert str(caught.value) == f'{sentence} ({part["type"].rpartition(".")[2]})'


def test_a_type_error_within_a_class_of_ours_is_shown_as_it_is():
    with pytest.raises(TypeError, match='not supported between'), naming_unknown_types(Config()):
        HOOKS.build(dict(type='mmduet.GroundingCheckpointHook', minutes='five'))
    for error in (ValueError('x'), AssertionError('x')):
        with pytest.raises(type(error)) as caught, naming_unknown_types(Config()):
            raise error
        assert caught.value is error
