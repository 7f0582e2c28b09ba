"""Which files a config is made of, and the line that gives a key its value."""
import pytest

from mmduet.engine.config_check.files import config_files, line_of, names_read

BASE = """width = 64
spare = 3
model = dict(
    encoder=dict(num_layers=2),
    decoder=dict(num_layers=6))
"""
MINE = """from mmengine.config import read_base

with read_base():
    from .base import *

model.update(neck=dict(width=width))
model['decoder']['num_layers'] = 4
model.head.terms = {'a.b': dict(weight=1), 'other': dict(weight=2)}
hooks = [dict(interval=5)]
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'mine.py').write_text(MINE)
    return config_files(tmp_path / 'mine.py')


def test_a_config_comes_before_those_that_it_inherits_from_each_once(files, tmp_path):
    assert [file.path.name for file in files] == ['mine.py', 'base.py']
    (tmp_path / 'last.py').write_text("_base_ = ['mine.py', 'base.py', 'gone.py', 'last.py']\n")
    assert [file.path.name for file in config_files(str(tmp_path / 'last.py'))] == ['last.py', 'mine.py', 'base.py']


def test_a_base_of_another_package_is_found_and_its_own_bases_too(tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = ['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'gone::a/b.py']\n")
    mine, first, *others = config_files(tmp_path / 'mine.py')
    assert (mine.path.name, mine.of_package) == ('mine.py', False)
    assert (first.path.name, first.of_package) == ('retinanet_r50_fpn_1x_coco.py', True)
    assert 'default_runtime.py' in [file.path.name for file in others] and all(file.of_package for file in others)


def test_what_is_no_python_config_has_no_files(tmp_path):
    (tmp_path / 'a.yaml').write_text('a: 1\n')
    (tmp_path / 'wrong.py').write_text('a = (\n')
    (tmp_path / 'zero.py').write_bytes(b'a = 1\0\n')
    for name in ('a.yaml', 'wrong.py', 'zero.py', 'gone.py'):
        assert config_files(tmp_path / name) == []
    assert config_files(None) == []


@pytest.mark.parametrize(('key', 'place'), [
    ('model.decoder.num_layers', 'mine.py, line 7'), ('model.encoder.num_layers', 'base.py, line 4'),
    ('model.neck.width', 'mine.py, line 6'), ('width', 'base.py, line 1'), ('model.head.terms.other.weight', 'mine.py, line 8'),
    (('model', 'head', 'terms', 'a.b'), 'mine.py, line 8'), ('hooks.0.interval', 'mine.py, line 9'), ('model.gone', '')])
def test_a_key_is_found_where_most_of_its_surroundings_are(files, tmp_path, monkeypatch, key, place):
    monkeypatch.chdir(tmp_path)
    assert line_of(files, key) == place


def test_a_place_outside_the_working_directory_has_its_whole_path(files, tmp_path):
    assert line_of(files, 'hooks.interval') == f'{tmp_path}/mine.py, line 9'


def test_names_that_the_code_reads_are_variables(files):
    assert names_read(files) == {'read_base', 'model', 'width'}


def test_a_variable_of_a_base_is_read_by_its_attribute_and_bases_that_are_computed_are_unknown(tmp_path):
    (tmp_path / 'base.py').write_text('base_lr = 1e-3\nother = 2\n')
    (tmp_path / 'leaf.py').write_text("_base_ = ['./base.py']\nlr = _base_.base_lr\n")
    found = names_read(config_files(tmp_path / 'leaf.py'))
    assert 'base_lr' in found and 'other' not in found
    (tmp_path / 'computed.py').write_text("_base_ = ['./base.py'] + []\n")
    assert [file.path.name for file in config_files(tmp_path / 'computed.py')] == ['computed.py']
