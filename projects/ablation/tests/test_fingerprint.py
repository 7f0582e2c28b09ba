import json

import pytest
import torch

from mmduet.datasets import DataError
from mmduet.models.task_modules import RandomSampler, SLASampler
from projects.ablation.fingerprint import hash_config, hash_data, hash_state
from tests.tiny_data import line, make_data_root, write_lines


def config(**changes):
    return {'model': {'type': SLASampler, 'weight': 0.5}, 'train_dataloader': {'data_root': 'a', 'first': 8}, 'work_dir': 'w',
            **changes}


def test_paths_and_what_is_not_trained_with_do_not_count():
    assert hash_config(config()) == hash_config(config(work_dir='other', randomness={'seed': 3}, test_dataloader={}))
    assert hash_config(config()) == hash_config(config(train_dataloader={'data_root': '/b', 'first': 8, 'cache_mb': 5}))


@pytest.mark.parametrize('changes', [
    {'model': {'type': RandomSampler, 'weight': 0.5}}, {'model': {'type': SLASampler, 'weight': 0.6}},
    {'train_dataloader': {'data_root': 'a', 'first': 9}}, {'train_cfg': {'max_iters': 3}}])
def test_what_changes_the_training_changes_the_hash(changes):
    assert hash_config(config()) != hash_config(config(**changes))


def test_a_file_counts_by_its_content(tmp_path):
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'weights.pth').write_bytes(content)
    hashes = [hash_config({'model': {'pretrained': str(tmp_path / name / 'weights.pth')}}) for name in 'abc']
    assert hashes[0] == hashes[1] != hashes[2]


def test_data_count_by_their_annotations_wherever_they_lie(tmp_path):
    first, moved = make_data_root(tmp_path / 'a'), make_data_root(tmp_path / 'b')
    assert hash_data(first, ['train', 'val']) == hash_data(moved, ['train', 'val'])
    assert hash_data(first, ['train']) != hash_data(first, ['val'])


def test_other_annotations_or_sources_are_other_data(tmp_path):
    roots = [make_data_root(tmp_path / name) for name in 'abc']
    write_lines(roots[1] / 'annotations' / 'train.jsonl', [line(expression='right cup')])
    manifest = json.loads((roots[2] / 'manifest.json').read_text())
    (roots[2] / 'manifest.json').write_text(json.dumps({**manifest, 'sources': {'/x/instances.json': '12ab'}}))
    assert len({hash_data(root, ['train']) for root in roots}) == 3


def test_the_file_of_expressions_without_a_target_counts_for_their_split_alone(tmp_path):
    plain, more = (make_data_root(tmp_path / name, [line(split=split) for split in ('train', 'absent')]) for name in 'ab')
    sources = {'/x/instances.json': '12ab'}
    for root, added in ((plain, {}), (more, {'/x/absent.jsonl': '34cd'})):
        manifest = json.loads((root / 'manifest.json').read_text())
        (root / 'manifest.json').write_text(json.dumps({**manifest, 'sources': {**sources, **added}}))
    assert hash_data(plain, ['train']) == hash_data(more, ['train'])
    assert hash_data(plain, ['absent']) != hash_data(more, ['absent'])


def test_data_that_are_not_there_are_named(tmp_path):
    root = make_data_root(tmp_path / 'a')
    with pytest.raises(DataError, match=r'there is no .*testA.jsonl'):
        hash_data(root, ['testA'])
    with pytest.raises(DataError, match=r'there is no .*manifest.json'):
        hash_data(tmp_path, ['train'])


def test_weights_count_by_name_type_and_value():
    state = {'a': torch.ones(2), 'b': torch.tensor(3)}
    assert hash_state(state) == hash_state(dict(reversed(state.items())))
    others = [{**state, 'a': torch.tensor([1.0, 1.0000001])}, {**state, 'a': torch.ones(2, 1)},
              {**state, 'b': torch.tensor(3, dtype=torch.int32)}, {'a': torch.ones(2), 'c': torch.tensor(3)}]
    assert len({hash_state(each) for each in [state, *others]}) == 5
