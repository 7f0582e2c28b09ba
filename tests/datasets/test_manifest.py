import json

import pytest

from mmduet.datasets.manifest import read_manifest
from mmduet.io.errors import DataError

GOOD = {'dataset': 'refcoco_unc', 'images': 'images', 'splits': {'val': {'images': 1}}, 'layout': 'official'}


def test_a_manifest_is_read_with_all_that_it_says(tmp_path):
    (tmp_path / 'manifest.json').write_text(json.dumps(GOOD))
    assert read_manifest(tmp_path) == GOOD


def test_a_folder_without_a_manifest_says_what_makes_one(tmp_path):
    with pytest.raises(DataError, match=r'is no data root: it has no manifest\.json; make one with mmduet prepare'):
        read_manifest(tmp_path)


@pytest.mark.parametrize(('change', 'message'), [
    ({'dataset': None}, "'dataset' must be text, got None"), ({'images': ''}, "'images' must be text, got ''"),
    ({'images': ['a']}, r"'images' must be text, got \['a'\]"), ({'protocol': 3}, "'protocol' must be text, got 3"),
    ({'dataset': '../../victim'}, "'dataset' must be a plain name"), ({'protocol': 'a/b'}, "'protocol' must be a plain name"),
    ({'splits': None}, "'splits' must hold the counts of each split"), ({'splits': {'val': 7}}, "'splits' must hold")])
def test_a_field_of_another_kind_is_named_with_the_file(tmp_path, change, message):
    (tmp_path / 'manifest.json').write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(DataError, match=rf'manifest\.json is not a manifest of mmduet prepare: {message}'):
        read_manifest(tmp_path)


@pytest.mark.parametrize('content', [b'{"dataset": ', b'\xff\xfe', b'[' * 100_000])
def test_a_truncated_manifest_is_named(tmp_path, content):
    (tmp_path / 'manifest.json').write_bytes(content)
    with pytest.raises(DataError, match=r'manifest\.json cannot be read'):
        read_manifest(tmp_path)
