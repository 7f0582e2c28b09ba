import json
import random

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from torch import distributed

from mmduet.evaluation import GroundingMetric, TransVGRule, VLTVGRule
from mmduet.structures import Canvas
from tests.forking import run_ranks

# Every remainder of a division by as many ranks as are tested.
COUNTS = (12, 13, 14, 15, 16)
THRESHOLDS = ['acc@0.25', 'acc@0.3', 'acc@0.5', 'acc@0.6', 'acc@0.7', 'acc@0.75', 'acc@0.8', 'acc@0.9']


def predicted(number, width, split='val', **changes):
    """A target of 100 x 100 pixels and a prediction of which ``width`` columns hit it, so that the IoU is a hundredth of it."""
    sample = DetDataSample(metainfo={
        'expression_id': str(number), 'split': split, 'ori_shape': (100, 100), 'text': f'cup {number}', 'img_path': 'a.png',
        'canvas': Canvas(size=100, left=0, top=0, width=100, height=100, scale_x=1.0, scale_y=1.0)})
    if not changes.get('absent'):
        sample.gt_instances = InstanceData(bboxes=torch.tensor([[0.0, 0.0, 100.0, 100.0]]))
    box = changes.get('box', [0.0, 0.0, float(width), 100.0])
    sample.pred_instances = InstanceData(bboxes=torch.tensor([box]), scores=torch.tensor([changes.get('score', 1.0)]),
                                         canvas_boxes=torch.tensor([[width / 200, 0.5, width / 100, 1.0]]))
    return sample


def score(samples, size=None, batch=3, **options):
    evaluator = Evaluator([GroundingMetric(**options)])
    for start in range(0, len(samples), batch):
        evaluator.process(samples[start:start + batch], None)
    return evaluator.evaluate(len(samples) if size is None else size)


def test_accuracies_and_mean_overlap_are_percentages_of_all_expressions():
    metrics = score([predicted(k, width) for k, width in enumerate([100, 85, 75, 50, 20])])
    assert [metrics[name] for name in THRESHOLDS] == [80, 80, 80, 60, 60, 60, 40, 20]
    assert metrics['miou'] == pytest.approx(66)
    assert list(metrics) == [*THRESHOLDS, 'miou']


def test_scores_that_say_something_are_rated():
    scored = [(90, 0.9), (90, 0.6), (10, 0.75), (10, 0.1)]
    metrics = score([predicted(k, width, score=value) for k, (width, value) in enumerate(scored)])
    assert list(metrics) == [*THRESHOLDS, 'miou', 'auroc', 'surest50', 'surest80', 'ece']
    assert (metrics['auroc'], metrics['surest50']) == (75, 50)
    assert metrics['ece'] == pytest.approx(100 * (0.1 + 0.4 + 0.75 + 0.1) / 4, abs=1e-4)


def test_expressions_of_nothing_are_refused_by_the_threshold_of_val():
    true = [predicted(k, 90, score=0.5 + k / 100) for k in range(20)]
    absent = [predicted(k, 50, split='absent', absent=True, score=value) for k, value in enumerate((0.2, 0.49, 0.5, 0.9))]
    metrics = score([*true, *absent])
    assert (metrics['absent/refused@95'], metrics['refused@95']) == (50, 50)
    assert metrics['acc@0.5'] == metrics['val/acc@0.5'] == 100
    assert not {'absent/acc@0.5', 'val/refused@95'} & metrics.keys()


def test_nothing_is_refused_without_scores_or_without_val():
    assert 'refused@95' not in score([predicted(0, 90), predicted(0, 90, split='absent', absent=True)])
    absent = [predicted(0, 90, split='absent', absent=True, score=0.1)]
    assert score(absent) == {}
    assert 'refused@95' not in score([predicted(0, 90, split='testA', score=0.5), *absent])


def test_it_is_said_why_nothing_is_refused(monkeypatch):
    said = []
    monkeypatch.setattr('mmduet.evaluation.grounding_metric.print_log', lambda text, *_, **__: said.append(text))
    score([predicted(0, 90), predicted(1, 90, split='absent', absent=True)])
    assert said[0].startswith('1 expression without a target: the student gives no score')
    said.clear()
    score([predicted(k, 90, split='absent', absent=True, score=0.1) for k in range(2)])
    assert said[0].startswith('2 expressions without a target: refused@95 is the share') and '--splits val' in said[0]
    said.clear()
    score([predicted(0, 90, score=0.5), predicted(1, 90, split='absent', absent=True, score=0.1)])
    assert 'without a target' not in ''.join(said)


def test_an_expression_of_nothing_is_written_without_an_iou(tmp_path):
    score([predicted(0, 90, absent=True, score=0.25)], out_file=str(tmp_path / 'answers.jsonl'))
    line = json.loads((tmp_path / 'answers.jsonl').read_text())
    assert (line['iou'], line['score']) == (None, 0.25)


def test_no_name_looks_like_a_loss():
    assert not any('loss' in name for name in score([predicted(0, 50), predicted(0, 50, split='testA')]))


def test_splits_are_also_reported_apart():
    samples = [predicted(0, 100), predicted(1, 20), predicted(0, 100, split='testA')]
    metrics = score(samples)
    assert (metrics['acc@0.5'], metrics['val/acc@0.5'], metrics['testA/acc@0.5']) == (pytest.approx(200 / 3), 50, 100)
    assert metrics['val/miou'] == pytest.approx(60)


def test_a_prefix_goes_before_every_name():
    assert next(iter(score([predicted(0, 100)], prefix='refcoco_unc'))) == 'refcoco_unc/acc@0.25'


@pytest.mark.parametrize(('rule', 'accuracy'), [(None, 100), (dict(type=TransVGRule), 100), (dict(type=VLTVGRule), 0),
                                                (dict(type='mmduet.VLTVGRule'), 0)])
def test_the_rule_is_one_line_of_config(rule, accuracy):
    assert score([predicted(0, 50)], rule=rule)['acc@0.5'] == accuracy


def test_padded_repeats_count_once():
    samples = [predicted(k, width) for k, width in enumerate([100, 20, 20])]
    assert score([*samples, samples[0], samples[0]], size=3)['acc@0.5'] == pytest.approx(100 / 3)


def test_the_result_does_not_depend_on_batch_size_or_order():
    samples = [predicted(k, (37 * k) % 101) for k in range(14)]
    expected = score(samples, batch=1)
    for batch in (3, 8, 14):
        random.Random(batch).shuffle(samples)
        assert score(samples, batch=batch) == expected


@pytest.mark.parametrize(('size', 'message'), [(3, '2 expressions were answered, the dataset has 3'),
                                               (1, '2 expressions were answered, the dataset has 1')])
def test_a_missing_or_unknown_expression_is_an_error(size, message):
    with pytest.raises(ValueError, match=message):
        score([predicted(0, 10), predicted(1, 10)], size=size)


def test_an_empty_dataset_is_an_error_not_nan():
    with pytest.raises(ValueError, match='0 expressions were answered'):
        score([], size=0)


def test_a_prediction_that_is_nan_is_a_miss():
    metrics = score([predicted(0, 100), predicted(1, 100, box=[float('nan')] * 4)])
    assert (metrics['acc@0.5'], metrics['miou']) == (50, 50)


@pytest.mark.parametrize('rule', [None, VLTVGRule, TransVGRule])
def test_an_infinite_prediction_is_a_miss_though_it_covers_the_target(rule):
    infinite, clipped = predicted(1, 100, box=[-float('inf')] * 2 + [float('inf')] * 2), predicted(2, 100)
    clipped.pred_instances.canvas_boxes = torch.tensor([[0.5, 0.5, float('inf'), float('inf')]])
    metrics = score([predicted(0, 100), infinite, clipped], rule=rule and dict(type=rule))
    assert (metrics['acc@0.25'], metrics['miou']) == (pytest.approx(100 / 3), pytest.approx(100 / 3))


def test_a_score_that_is_not_finite_counts_as_none_at_all():
    nowhere = predicted(2, 100, box=[float('nan')] * 4, score=float('nan'))
    metrics = score([predicted(0, 100, score=0.9), predicted(1, 10, score=0.3), nowhere])
    assert (metrics['auroc'], metrics['acc@0.5']) == (100, pytest.approx(100 / 3))
    assert metrics['ece'] == pytest.approx(100 * (0.1 + 0.3) / 3, abs=1e-4)


def test_results_are_forgotten_after_an_evaluation():
    metric = GroundingMetric()
    for width in (100, 20):
        metric.process(None, [predicted(0, width)])
        assert metric.evaluate(1)['miou'] == width


def test_answers_are_written_one_json_line_each(tmp_path):
    path = tmp_path / 'deep' / 'answers.jsonl'
    score([predicted(1, 20), predicted(0, 100)], out_file=str(path))
    first, second = (json.loads(text) for text in path.read_text().splitlines())
    assert first == {'expression_id': '0', 'split': 'val', 'image': 'a.png', 'expression': 'cup 0',
                     'box': [0.0, 0.0, 100.0, 100.0], 'score': 1.0, 'iou': 1.0, 'dataset': '', 'pretrain_kept_out': 'unknown'}
    assert second['iou'] == pytest.approx(0.2)
    assert [p.name for p in path.parent.iterdir()] == ['answers.jsonl']


def test_every_line_names_the_data_set_with_its_protocol_and_whether_pretraining_saw_it(tmp_path):
    path = tmp_path / 'answers.jsonl'
    metric = GroundingMetric(out_file=str(path), pretrain_excludes=['flickr30k'])
    metric.dataset_meta = {'dataset_name': 'flickr30k (any)'}
    metric.process(None, [predicted(0, 50)])
    metric.evaluate(1)
    line = json.loads(path.read_text())
    assert (line['dataset'], line['pretrain_kept_out']) == ('flickr30k (any)', 'yes')


@pytest.mark.parametrize('thresholds', [[], [0.0], [50]])
def test_thresholds_are_fractions(thresholds):
    with pytest.raises(ValueError, match='thresholds must lie between 0 and 1'):
        GroundingMetric(thresholds=thresholds)


def rank_of_samples(rank, world, count):
    """What MMEngine's sampler gives to a rank: every world-th expression, repeated from the start to equal lengths."""
    length = -(-count // world)
    return [(rank + world * k) % count for k in range(length)]


def evaluate_on_rank(folder):
    distributed.init_process_group('gloo')
    rank, world, results = distributed.get_rank(), distributed.get_world_size(), {}
    for count in COUNTS:
        for batch in (1, 3, 8):
            samples = [predicted(k, (37 * k) % 101) for k in rank_of_samples(rank, world, count)]
            results[f'{rank} {count} {batch}'] = score(samples, size=count, batch=batch)
    distributed.destroy_process_group()
    (folder / f'{rank}.json').write_text(json.dumps(results))


@pytest.mark.parametrize('world', [1, 2, 3, 4])
def test_any_number_of_ranks_reports_what_one_process_does(tmp_path, world):
    ranks = run_ranks(world, evaluate_on_rank, tmp_path)
    assert [rank.returncode for rank in ranks] == [0] * world, ranks
    gathered = [each for rank in range(world) for each in json.loads((tmp_path / f'{rank}.json').read_text()).items()]
    assert len(gathered) == 3 * len(COUNTS) * world
    expected = {count: score([predicted(k, (37 * k) % 101) for k in range(count)]) for count in COUNTS}
    for name, metrics in gathered:
        assert metrics == expected[int(name.split()[1])]
