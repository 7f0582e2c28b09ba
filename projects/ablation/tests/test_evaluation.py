import json

import pytest
from mmengine.runner import Runner

from mmduet.evaluation import GroundingMetric
from projects.ablation.evaluation import evaluate, find_and_tighten, first_items, read_kinds, score_kinds
from tests.tiny_grounder import TinyGrounder, load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=12)


@pytest.fixture
def loader(root, tmp_path):
    return Runner.build_dataloader(load_tiny_config(tmp_path, root).val_dataloader, seed=0)


def test_all_expressions_are_scored_once_and_sorted(loader):
    student = TinyGrounder().train()
    metrics, predictions = evaluate(student, loader, GroundingMetric())
    assert [prediction['expression_id'] for prediction in predictions] == sorted(f'val{k}' for k in range(12))
    assert metrics['miou'] == pytest.approx(100 * sum(prediction['iou'] for prediction in predictions) / 12, abs=1e-3)
    assert 'kinds' not in metrics
    assert not student.training


def test_the_beginning_is_scored_by_itself(loader):
    part = first_items(loader, 7)
    _, predictions = evaluate(TinyGrounder(), part, GroundingMetric())
    assert sorted(prediction['expression_id'] for prediction in predictions) == sorted(f'val{k}' for k in range(7))
    assert len(first_items(loader, 500).dataset) == 12
    assert part.dataset.dataset is loader.dataset


def test_kinds_are_read_where_there_are_any(root, tmp_path):
    assert read_kinds(root, ['val']) == {}
    folder = tmp_path / 'annotations'
    folder.mkdir()
    lines = [{'split': 'val', 'expression_id': '1', 'kind': 'relation'}, {'split': 'val', 'expression_id': '2', 'kind': None}]
    (folder / 'val.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n\n')
    assert read_kinds(tmp_path, ['val']) == {('val', '1'): 'relation'}


def test_finding_and_tightening_are_told_apart():
    assert find_and_tighten([0.95, 0.25, 0.24, 0.9, 0.0]) == {'found': 60.0, 'acc@0.9': 40.0, 'tight': 66.667}
    assert find_and_tighten([0.1]) == {'found': 0.0, 'acc@0.9': 0.0, 'tight': 0.0}


def test_each_kind_has_its_own_accuracy():
    predictions = [{'split': 'val', 'expression_id': str(k), 'iou': iou} for k, iou in enumerate([0.9, 0.6, 0.2, 0.75])]
    kinds = {('val', '0'): 'attribute', ('val', '1'): 'attribute', ('val', '2'): 'relation'}
    assert score_kinds(predictions, kinds) == {
        'attribute': {'acc@0.5': 100.0, 'count': 2}, 'relation': {'acc@0.5': 0.0, 'count': 1}}
