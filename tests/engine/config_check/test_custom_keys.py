"""Custom keys of parameters that are in no name are refused when the runner is built, with file and line."""
import re

import pytest
from mmengine.config import Config

from mmduet.engine.config_check import UnreadKeyError
from mmduet.engine.config_check.custom_keys import check_custom_keys, describe_uncovered
from mmduet.engine.config_tools import load_config
from mmduet.registry import RUNNERS
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config

ELSEWHERE = 'It may be in backbone, box_head, head; optim_wrapper.paramwise_cfg=None leaves all keys out'
NAMES = ['student.backbone.weight', 'student.box_head.bias', 'head.weight']


@pytest.mark.parametrize(('key', 'sentence'), [
    ('backbone', None), ('bone.w', None), ('student.backbone', None), ('bias', None), ('', None),
    ('backbon', None), ('bakbone', "no parameter has 'bakbone' in its name; nearest: backbone"),
    ('box_head.weight', "no parameter has 'box_head.weight' in its name; nearest: box_head"),
    ('text', f"no parameter has 'text' in its name. {ELSEWHERE}")])
def test_a_key_covers_a_name_that_contains_it(key, sentence):
    assert describe_uncovered([key], NAMES) == ({key: sentence} if sentence else {})


def test_all_keys_are_named_with_the_lines_of_their_file(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("model = dict(type='A', laterals=3)\n\noptim_wrapper = dict(\n    paramwise_cfg=dict(custom_keys={\n"
                    "        'backbone': dict(lr_mult=0.1),\n        'laterals': dict(lr_mult=0.1),\n"
                    "        'box_head.weight': dict(lr_mult=0.1)}))\n")
    with pytest.raises(UnreadKeyError) as caught:
        check_custom_keys(load_config(path), NAMES)
    place = '  optim_wrapper.paramwise_cfg.custom_keys'
    assert str(caught.value).splitlines() == [
        '2 mistakes in the config:',
        f"{place}.laterals ({path}, line 6): no parameter has 'laterals' in its name. {ELSEWHERE}",
        f"{place}.box_head.weight ({path}, line 7): no parameter has 'box_head.weight' in its name; nearest: box_head"]


@pytest.mark.parametrize('optim', [None, {}, {'paramwise_cfg': None}, {'paramwise_cfg': {}},
                                   {'paramwise_cfg': {'custom_keys': None}}])
def test_a_config_without_custom_keys_has_none_that_mean_nothing(optim):
    check_custom_keys(Config({'optim_wrapper': optim}), NAMES)
    check_custom_keys(Config({}), NAMES)


@pytest.mark.parametrize('constructor', [{}, {'optim_wrapper__constructor': 'DefaultOptimWrapperConstructor'}])
def test_the_runner_refuses_them_before_data_are_read(tmp_path, constructor):
    cfg = load_tiny_config(tmp_path, tmp_path / 'no_data', **constructor,
                           optim_wrapper__paramwise_cfg=dict(custom_keys=dict(backbon3=dict(lr_mult=0.1))))
    with pytest.raises(UnreadKeyError, match=r'custom_keys\.backbon3: .* in its name; nearest: backbone$'):
        RUNNERS.build(cfg)
    cfg = load_tiny_config(tmp_path, tmp_path / 'no_data')
    file = re.escape(str((ROOT / 'tests/tiny_config.py').relative_to(ROOT)))
    with pytest.raises(UnreadKeyError, match=rf'custom_keys\.backbone \((.*){file}, line 44\)'):
        check_custom_keys(cfg, ['text_encoder.weight'])
