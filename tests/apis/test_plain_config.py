import json
from functools import partial

import pytest
from mmdet.models.backbones import ResNet
from mmengine.config import Config

from mmduet.apis.plain_config import ObjectWithoutText, parse_config_text, to_names, to_types
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.models import TransVG
from tests.tiny_grounder import TinyGrounder


def test_the_text_of_every_kind_of_value_is_read_and_none_of_it_run():
    config = load_config('configs/duet/vltvg_duet_refcoco.py')
    keys = parse_config_text(config.pretty_text, 'a.pth')
    assert keys['model']['student']['decoder'] == {'num_stages': 6, 'heads': 8, 'feedforward': 2048, 'dropout': 0.1}
    assert keys['model']['student']['visual_encoder']['backbone']['out_indices'] == (3, )
    assert keys['load_from'] is None


def test_a_class_that_a_program_put_into_a_config_is_its_name():
    config = Config(dict(model=dict(type=TransVG, parts=[dict(type=TinyGrounder)])))
    assert parse_config_text(config.pretty_text, 'a.pth') == {'model': {
        'type': f'{TransVG.__module__}.TransVG', 'parts': [{'type': 'tests.tiny_grounder.TinyGrounder'}]}}


def test_an_object_that_no_text_can_hold_is_missed_where_it_is_needed():
    config = Config(dict(model=dict(type=TransVG, act=lambda value: value), hook=dict(type=partial(int, base=2))))
    keys = parse_config_text(config.pretty_text, 'a.pth')
    assert keys['hook'] == {'type': ObjectWithoutText("functools.partial(<class 'int'>, base=2)")}
    for part in ('model', 'hook'):
        with pytest.raises(ConfigError, match=r'^the config in a\.pth had (<function|functools\.partial).* by --config$'):
            to_types(keys[part], 'a.pth')


@pytest.mark.parametrize(('text', 'message'), [
    ("model = object_without_text(open('x'))", 'is no literal'), ("model = object_without_text('a', 'b')", 'is no literal'),
    ("model = dict(type=open('x').name)", 'is no literal'), ('model = [].append', 'is no literal'),
    ("model = __import__('os').system('true')", 'line 1 of the config in a.pth is no literal, and is not run'),
    ('a = 1\nimport os', 'line 2 of the config in a.pth is no assignment, and is not run'),
    ("a = dict(b=print('x'))", 'is no literal'), ('a = [', 'is no config'), ('a = ' + '[' * 5000, 'is no config')])
def test_a_text_that_would_do_something_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_config_text(text, 'a.pth')


def test_types_become_names_and_come_back():
    model = {'type': TransVG, 'backbone': {'type': ResNet, 'strides': (1, 2), 'norm_cfg': {'type': 'BN'}}}
    names = to_names(model)
    assert names == {'type': 'mmduet.TransVG',
                     'backbone': {'type': 'mmdet.ResNet', 'strides': [1, 2], 'norm_cfg': {'type': 'BN'}}}
    back = to_types(json.loads(json.dumps(names)), 'config.json')
    assert back['type'] is TransVG
    assert back['backbone']['type'] is ResNet
    # As the text of a config names them, by the module that exports them.
    assert to_types({'type': 'mmduet.models.students.TransVG'}, 'a.pth')['type'] is TransVG


@pytest.mark.parametrize('name', ['os.system', 'subprocess.Popen', 'mmduet.io.files.write_atomically', 'mmduet.TransVQ', 7])
def test_a_type_that_no_registry_knows_is_refused_and_not_imported(name):
    with pytest.raises(ConfigError, match='which no registry knows'):
        to_types({'model': {'type': name, 'args': 'true'}}, 'config.json')


def test_a_class_without_a_place_in_a_registry_and_a_value_that_is_no_json_are_named():
    with pytest.raises(ConfigError, match=r'model\.type is tests\.tiny_grounder\.TinyGrounder, which is in no registry'):
        to_names({'type': TinyGrounder}, 'model')
    with pytest.raises(ConfigError, match=r'model\.a\[1\] is a set, which JSON cannot hold'):
        to_names({'a': [1, {2}]}, 'model')
