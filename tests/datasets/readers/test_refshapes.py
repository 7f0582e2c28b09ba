import json

import pytest

from mmduet.datasets.preparation import prepare, write_data_root
from mmduet.datasets.readers import find_dataset
from mmduet.io.errors import DataError
from mmduet.refshapes import make_example, write_official_layout


@pytest.fixture
def folder(tmp_path):
    write_official_layout(tmp_path / 'official', {'train': 2, 'heldout': 3})
    return tmp_path / 'official'


def test_the_heldout_split_is_read_like_any_other(folder):
    data = find_dataset('refshapes').read(folder)
    assert [item.split for item in data.annotations] == ['train', 'train', 'heldout', 'heldout', 'heldout']
    example = make_example(0, 'heldout', 2)
    assert data.annotations[-1].expression == example.expressions[0].text
    assert data.annotations[-1].box == example.scene.referent.box


def test_seed_level_and_hash_reach_the_manifest_of_the_data_root(folder, tmp_path):
    data, prepared = prepare(find_dataset('refshapes'), folder, folder / 'images')
    write_data_root(tmp_path / 'root', 'refshapes', prepared, data, folder / 'images')
    made = json.loads((folder / 'manifest.json').read_text())
    source = json.loads((tmp_path / 'root/manifest.json').read_text())['source']
    assert source == {'seed': 0, 'level': 'standard', 'size': 64, 'expressions': 1, 'scenes': {'train': 2, 'heldout': 3},
                      'sha256': made['sha256']}


def test_a_changed_file_is_refused_by_name(folder):
    path = folder / 'instances.json'
    path.write_bytes(path.read_bytes() + b' ')
    with pytest.raises(DataError, match=r'instances\.json is not the file that .*manifest\.json was written for'):
        find_dataset('refshapes').read(folder)


@pytest.mark.parametrize('text', ['', '[]', '{"files": {}}'])
def test_a_broken_manifest_is_refused_with_the_command_that_mends_it(folder, text):
    (folder / 'manifest.json').write_text(text)
    with pytest.raises(DataError, match='make the data again with tools'):
        find_dataset('refshapes').read(folder)


def test_without_a_manifest_nothing_is_said_about_the_source(folder):
    (folder / 'manifest.json').unlink()
    assert find_dataset('refshapes').read(folder).about == {}
