import sys

import pytest

from mmduet.engine.config_check.sources import find_module, find_place, find_type, resolve, resolve_dotted

FILES = {
    'parts_of_mine/__init__.py': 'from .shapes import *\nfrom .shapes import Circle as Round\nalias = Round\n',
    'parts_of_mine/shapes.py': 'import heavy_that_is_not_there\n\n\nclass Circle:\n    pass\n\n\ndef square():\n    pass\n',
    'parts_of_mine/broken.py': 'def (',
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / 'parts_of_mine'
    assert not any(name.startswith('parts_of_mine') for name in sys.modules), 'nothing is imported'


def test_a_module_is_found_where_it_lies(package):
    assert find_place('parts_of_mine.shapes').file == package / 'shapes.py'
    assert find_place('parts_of_mine').folders == (str(package), )
    assert find_place('parts_of_mine.gone') is None and find_place('parts_of_nobody') is None


@pytest.mark.parametrize('name', ['Circle', 'Round', 'alias'])
def test_a_class_is_found_through_stars_other_names_and_aliases(package, name):
    found = resolve('parts_of_mine', name)
    assert (found.name, found.module.name) == ('Circle', 'parts_of_mine.shapes')


def test_what_the_source_cannot_say_is_none(package):
    assert resolve('parts_of_mine', 'Triangle') is None and resolve('parts_of_mine', 'int') is None
    assert find_module('parts_of_mine.broken') is None and find_module('sys') is None
    assert resolve_dotted('parts_of_mine.shapes.square').name == 'square' and resolve_dotted('square') is None


@pytest.mark.parametrize(('name', 'module'), [
    ('mmduet.EpochSampler', 'mmduet.datasets.samplers'), ('EpochSampler', 'mmduet.datasets.samplers'),
    ('LoggerHook', 'mmengine.hooks.logger_hook'), ('torch.nn.Linear', 'torch.nn.modules.linear')])
def test_a_type_is_found_by_scope_path_or_bare_name(name, module):
    assert find_type(name).module.name == module


def test_a_bare_name_is_looked_up_in_the_scope_of_its_config_first():
    assert find_type('RandomFlip').module.name == 'mmduet.datasets.transforms.geometry'
    assert find_type('RandomFlip', 'mmdet').module.name == 'mmdet.datasets.transforms.transforms'
    assert find_type('LoggerHook', 'mmdet').module.name == 'mmengine.hooks.logger_hook'
    assert find_type('CocoDataset', 'mmdet') is not None and find_type('CocoDataset') is None


def test_a_type_that_nobody_registers_is_none():
    assert find_type('EpochSampler2') is None and find_type('mmduet.LoggerHook2') is None
