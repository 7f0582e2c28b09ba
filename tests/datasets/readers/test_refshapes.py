import json

import pytest

from mmduet.datasets import GroundingDataset
from mmduet.datasets.preparation import prepare, write_data_root
from mmduet.datasets.readers import find_dataset
from mmduet.engine.config_tools import load_config
from mmduet.io.errors import DataError
from mmduet.models import GroundingDataPreprocessor
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
    with pytest.raises(DataError, match='make the data again with mmduet make-refshapes'):
        find_dataset('refshapes').read(folder)


def test_without_a_manifest_nothing_is_said_about_the_source(folder):
    (folder / 'manifest.json').unlink()
    assert find_dataset('refshapes').read(folder).about == {}


def test_expressions_of_nothing_reach_the_batch_of_an_evaluation_and_no_training(tmp_path):
    official = tmp_path / 'official'
    with_absent = write_official_layout(official, {'val': 2, 'absent': 3})
    data, prepared = prepare(find_dataset('refshapes'), official, official / 'images')
    write_data_root(tmp_path / 'root', 'refshapes', prepared, data, official / 'images')
    assert prepared.counts == {'val': (2, 2, 2), 'absent': (3, 3, 3)}
    pipeline = load_config('configs/transvg/transvg_refshapes.py').test_dataloader.dataset.pipeline
    items = [GroundingDataset(tmp_path / 'root', ['val', 'absent'], pipeline, test_mode=True)[index] for index in (0, 2, 4)]
    samples = [item['data_samples'] for item in items]
    assert samples[2].text == make_example(0, 'absent', 2).expressions[0].text
    batch = GroundingDataPreprocessor()({'inputs': [item['inputs'] for item in items], 'data_samples': samples})['batch']
    assert batch.has_box.tolist() == [[True], [False], [False]]
    with pytest.raises(DataError, match='expressions of absent have no target box to train with'):
        GroundingDataset(tmp_path / 'root', ['absent'], pipeline)
    (official / 'absent.jsonl').write_text('')
    with pytest.raises(DataError, match=r'absent\.jsonl is not the file that'):
        find_dataset('refshapes').read(official)
    assert write_official_layout(tmp_path / 'other', {'val': 2})['sha256'] == with_absent['sha256']
