from pathlib import Path

import pytest

from mmduet.datasets.readers import find_dataset


@pytest.mark.parametrize(('name', 'path', 'accepted'), [
    ('refcoco_unc', 'REC_refcoco_unc_val.jsonl', True), ('refcoco_unc', 'REC_refcoco+_unc_val.jsonl', False),
    ('refcoco_unc', 'REC_refcocog_umd_val.jsonl', False), ('refcocoplus_unc', 'finetune_refcoco+_val.json', True),
    ('refcocog_umd', 'finetune_refcocog_val.json', True), ('refcocog_google', 'REC_refcocog_umd_val.jsonl', False),
    ('refcocog_umd', 'refcocog-google/instances.json', False), ('refcocog_google', 'refcocog-google/instances.json', True),
    ('refcoco_unc', 'refcoco_family/anything.json', True), ('refcocoplus_unc', 'refcoco/instances.json', False),
    ('referit', 'referitgame-berkeley/instances.json', True), ('referit', 'flickr30k/instances.json', False),
    ('own', 'refcoco.jsonl', True), ('refcoco_unc', 'mine.jsonl', True),
])
def test_a_file_that_says_it_is_of_another_data_set_is_not_taken(name, path, accepted):
    assert find_dataset(name).accepts(Path('/data') / path, Path('/data')) is accepted


def test_the_folder_that_was_given_counts_only_by_its_whole_name():
    spec = find_dataset('refcocog_umd')
    assert spec.accepts(Path('/refcoco_things/x.json'), Path('/refcoco_things'))
    assert not spec.accepts(Path('/refcoco/x.json'), Path('/refcoco'))
