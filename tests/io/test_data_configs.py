import json

import pytest

from mmduet.io.data_configs import MOST_BYTES, check_data_config
from mmduet.io.errors import DataError


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_plain_values_and_their_bases_are_taken(tmp_path):
    write(tmp_path, 'base.yaml', 'a: 1\n')
    check_data_config(write(tmp_path, 'c.json', {'_base_': ['base.yaml'], 'b': [1, 2]}))
    check_data_config(write(tmp_path, 'd.yml', '_base_: c.json\n'))


@pytest.mark.parametrize(('name', 'content', 'said'), [
    ('a.json', [1], 'is no config: it must be a mapping, and is a list'),
    ('a.json', {'custom_imports': {'imports': ['os']}}, 'names modules to import, which run'),
    ('a.json', {'_base_': 'b.py'}, r"is based on 'b\.py': a config in JSON is data"),
    ('a.yaml', '_base_: https://example.org/b.yaml', 'a config in YAML is data'),
    ('a.yaml', '_base_: mmdet::b.yaml', 'a config in YAML is data'),
    ('a.yaml', '!!python/object/apply:os.system [echo]', 'cannot be read'),
    ('a.yaml', '_base_: a.yaml', 'configs more than 16 deep'),
    ('a.json', '{"a": ', r'a\.json'),
    ('a.json', ' ' * MOST_BYTES + '{}', 'letters, more than the 1,048,576 that are read of a config'),
    ('a.yaml', 'a: &a [x, x, x]\n' + ''.join(f'{chr(98 + k)}: &{chr(98 + k)} [{", ".join([f"*{chr(97 + k)}"] * 9)}]\n'
                                             for k in range(9)), 'is not read: it holds')])
def test_what_runs_or_has_no_end_is_refused_by_name(tmp_path, name, content, said):
    with pytest.raises(DataError, match=said):
        check_data_config(write(tmp_path, name, content))
