import sys

import pytest

from mmduet.engine.config_tools import ConfigError, load_config


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a config may be, beside a folder without an ``__init__.py``; Python's path is as before afterwards."""
    monkeypatch.setattr('sys.path', [*sys.path])
    (tmp_path / 'plain_folder').mkdir()
    (tmp_path / 'plain_folder/base.py').write_text('x = 1\n')
    (tmp_path / 'base.py').write_text('x = 1\n')
    (tmp_path / 'broken.py').write_text('x = 1\ny = = 2\n')
    (tmp_path / 'base.txt').write_text('x = 1\n')
    (tmp_path / 'of_classes.py').write_text('from torch.optim import AdamW\noptimizer = dict(type=AdamW)\n')
    (tmp_path / 'opens.py').write_text("with open('a'):\n    pass\n")
    (tmp_path / 'of_lists.py').write_text("_base_ = 'base.py'\n")
    (tmp_path / 'of_nothing.py').write_text("_base_ = ['base.py', 'nothing.py']\n")
    return tmp_path


def inheriting(folder, *statements):
    config = folder / 'config.py'
    config.write_text('\n    '.join(['from mmengine.config import read_base\nwith read_base():', *statements]) + '\n')
    return config


@pytest.mark.parametrize(('statement', 'sentence'), [
    ('from plain_folder.base import *',
     r'the base plain_folder\.base cannot be read: .*plain_folder is none without an __init__'),
    ('from no_such_package.base import *', r'the base no_such_package\.base is not there: there is no package no_such_package'),
    ('from mmduet.configs.duet.transvg_duet_refcocos import *',
     r'there is no base mmduet\.configs\.duet\.transvg_duet_refcocos: .*\.py is not there; nearest: transvg_duet_refcoco,'),
    ('from .bse import *', r'there is no base \.bse: .*bse\.py is not there; nearest: base'),
    ('from ..nothing.base import *', r'there is no base \.\.nothing\.base: '),
    ('from mmduet import *',
     r'the base mmduet is no file of a package; one beside this file begins with a dot, as in \.mmduet'),
    ('from . import base', r'"from \. import base" names no base'),
    ('import plain_folder.base', r'"import plain_folder\.base" names no base'),
    ('from .base import y', r'the base \.base has no y'),
    ('from .config import *', r'the base \.config inherits from this file, or is it'),
    ('from .of_lists import *', r'the base \.of_lists inherits in the other way'),
])
def test_a_base_that_cannot_be_read_is_named_with_its_file_and_line(folder, statement, sentence):
    with pytest.raises(ConfigError, match=rf'config\.py, line 3: {sentence}'):
        load_config(inheriting(folder, statement))


@pytest.mark.parametrize(('statement', 'sentence'), [
    ('from __main__.base import *', r'the base __main__\.base is not there: there is no package __main__'),
    ('from __main__ import x', r'the base __main__ is no file of a package')])
def test_the_program_that_runs_is_no_base(folder, monkeypatch, statement, sentence):
    monkeypatch.setattr('__main__.__spec__', None)  # as where it was not started by python -m
    with pytest.raises(ConfigError, match=rf'config\.py, line 3: {sentence}'):
        load_config(inheriting(folder, statement))


@pytest.mark.parametrize(('value', 'sentence'), [
    ("'nothing.py'", r'config\.py, line 1: there is no base nothing\.py: .*nothing\.py is not there'),
    ("['base.py', 'of_nothing.py']", r'of_nothing\.py, line 1: there is no base nothing\.py'),
    ("'base.txt'", r'config\.py, line 1: the base base\.txt is no config: it must end in \.py, \.yaml'),
    ("'of_classes.py'", r"config\.py, line 1: the base of_classes\.py imports what is not of Python's own library"),
    ("['base.py', 'opens.py']", 'config.py cannot be read: Only `read_base`'),
    ("'config.py'", r'config\.py, line 1: the base config\.py inherits from this file'),
    ("'mmdet::_base_/nothing.py'", r'config\.py, line 1: there is no base mmdet::_base_/nothing\.py'),
    ("'mmdet::nothing.py'", r'config\.py, line 1: the base mmdet::nothing\.py cannot be read'),
    ("'no_such_package::_base_/nothing.py'",
     r'config\.py, line 1: the base no_such_package::_base_/nothing\.py cannot be read'),
    ("['base.py', 'plain_folder/base.py']", r'config\.py cannot be read: Duplicate key'),
])
def test_a_base_in_a_list_of_bases_is_named_too(folder, value, sentence):
    (folder / 'config.py').write_text(f'_base_ = {value}\n')
    with pytest.raises(ConfigError, match=sentence):
        load_config(folder / 'config.py')


def test_the_base_of_a_config_of_plain_values_is_named(folder):
    (folder / 'config.yaml').write_text('_base_: nothing.yaml\n')
    with pytest.raises(ConfigError, match=r'config\.yaml: there is no base nothing\.yaml: .* is not there'):
        load_config(folder / 'config.yaml')


def test_the_line_of_a_base_that_is_no_python_is_said(folder):
    with pytest.raises(ConfigError, match=r'broken\.py, line 2 is no Python: invalid syntax'):
        load_config(inheriting(folder, 'from .base import *', 'from .broken import *'))


@pytest.mark.parametrize('name', ['weights.safetensors', 'weights.pth', 'config.py'])
def test_a_checkpoint_in_the_place_of_a_config_is_said(folder, name):
    (folder / name).write_bytes(b'\x10\0\0\0{"a": 1}')
    with pytest.raises(ConfigError, match=rf'{name} is no config but a binary file: .* takes the config before the checkpoint'):
        load_config(folder / name)


def test_a_statement_with_another_manager_is_refused_by_the_name_of_the_file(folder):
    (folder / 'config.py').write_text("with open('a'):\n    pass\n")
    with pytest.raises(ConfigError, match=r'config\.py cannot be read: Only `read_base`'):
        load_config(folder / 'config.py')


def test_an_error_of_the_code_of_a_config_keeps_its_traceback(folder):
    config = inheriting(folder, 'from .base import *')
    config.write_text(config.read_text() + "y = dict(a=1)['b']\n")
    with pytest.raises(KeyError, match='b'):
        load_config(config)
    config.write_text(config.read_text().replace('*', 'x').replace("['b']", "['x']"))
    with pytest.raises(KeyError, match='x'):  # which the base has
        load_config(config)
