import ast
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmduet.io.config_text import config_text, objects_without_text
from mmduet.io.files import sha256_of


def test_keys_keep_their_order_at_every_level(tmp_path):
    config = {'b': {'z': 1, 'a': [{'y': 2, 'c': 3}, {}]}, 'a': {'2': ('x', ), 'lambda': [[1], (2, 3)], 7: None}, 'c': []}
    (tmp_path / 'a.py').write_text(config_text(config))
    read = Config.fromfile(tmp_path / 'a.py').to_dict()
    assert read == config
    assert list(read) == ['b', 'a', 'c']
    assert [list(read['b']), list(read['b']['a'][0]), list(read['a'])] == [['z', 'a'], ['y', 'c'], ['2', 'lambda', 7]]


@pytest.mark.parametrize(('value', 'expected'), [
    (np.float32(0.5), 0.5), (np.int64(3), 3), (np.str_('a'), 'a'), (Path('a/b'), 'a/b'), (float('inf'), float('inf')),
    (-float('inf'), -float('inf')), (1e-300, 1e-300), (int, 'builtins.int'), (Config, 'mmengine.config.config.Config'),
    ({1, 2}, {1, 2}), (b'\0', b'\0'), ("'\n\"\\", "'\n\"\\"), (True, True), (None, None), (2j, 2j)])
def test_a_value_that_has_a_literal_is_it(value, expected):
    assert list(objects_without_text({'a': [value]})) == []
    text = config_text({'a': value})
    assert ast.literal_eval(text.removeprefix('a = ')) == expected


def test_objects_without_a_literal_are_found_by_their_keys():
    act, part = partial(int, base=2), lambda value: value
    config = {'model': {'act': act, 'size': 3, 'layers': [{'norm': part}, float('nan')]}, 'hash': sha256_of}
    found = list(objects_without_text(config))
    assert [place for place, _ in found] == ['model.act', 'model.layers.0.norm', 'model.layers.1', 'hash']
    assert found[0][1] is act
    assert ast.unparse(ast.parse(config_text({'act': act}))) == (
        'act = object_without_text("functools.partial(<class \'int\'>, base=2)")')
