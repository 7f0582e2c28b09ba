import json

import pytest

from mmduet.evaluation.report.predictions import read_predictions
from mmduet.evaluation.report.summary import summarise
from tests.report_data import OTHERS, SOME, answers, make_cases, predict
from tests.tiny_data import write_lines


@pytest.fixture
def summary(tmp_path):
    cases = make_cases(tmp_path)
    return summarise(cases, [predict(tmp_path, cases, 'some', SOME), predict(tmp_path, cases, 'others', OTHERS)], draws=200)


def test_metrics_are_those_of_the_known_overlaps(summary):
    some, others = summary.figures['systems']
    assert {name: figure['value'] for name, figure in some['metrics'].items()} == {
        'acc@0.25': 75, 'acc@0.3': 75, 'acc@0.5': 75, 'acc@0.6': 50,
        'acc@0.7': 50, 'acc@0.75': 50, 'acc@0.8': 50, 'acc@0.9': 50, 'miou': 62.5}
    assert others['metrics']['acc@0.5']['value'] == 50
    assert others['metrics']['miou']['value'] == pytest.approx(25 * (2 + 30 / 170), abs=1e-4)
    assert all(figure['low'] <= figure['value'] <= figure['high'] for figure in some['metrics'].values())


def test_an_overlap_of_half_counts_at_a_threshold_of_half(summary):
    curve = {point['threshold']: point['value'] for point in summary.figures['systems'][0]['curve']}
    assert (curve[0.5], curve[0.55], curve[0.05]) == (75, 50, 75)


def test_histogram_and_outcomes_count_every_expression_once(summary):
    for system in summary.figures['systems']:
        assert sum(system['histogram']) == sum(system['outcomes'].values()) == 4
    assert (summary.figures['systems'][0]['histogram'][0], summary.figures['systems'][0]['histogram'][-1]) == (1, 2)


def test_where_several_boxes_are_right_the_best_overlap_counts(tmp_path):
    cases = make_cases(tmp_path, boxes=[[0, 0, 5, 5], [10, 10, 20, 15]])
    summary = summarise(cases, [predict(tmp_path, cases, 'some', SOME)], draws=10)
    assert summary.systems[0].overlaps.tolist() == [1, 0, 1, 1]
    assert cases.right_boxes(3).tolist() == [[0, 0, 5, 5], [10, 10, 20, 15]]
    assert cases.others(0).categories == ('cup', 'dog')


def test_scores_are_rated_where_they_say_something(summary, tmp_path):
    some = summary.figures['systems'][0]['scores']
    assert (some['auroc'], some['surest50'], some['ece']) == (50, 75, 25)  # 0.5 of all answers, three of four right
    system = summary.systems[0]
    for value in (1.0, float('nan'), 7.0):
        system.predictions.scores[:] = value
        assert summarise(summary.cases, [system.predictions], draws=10).figures['systems'][0]['scores'] == {}


def test_flips_are_named_both_ways(summary):
    compared = summary.figures['comparisons'][0]
    assert compared['gained'] == [{'split': 'val', 'expression_id': '2'}]
    assert [key['expression_id'] for key in compared['lost']] == ['1', '4']
    assert (compared['both_right'], compared['both_wrong']) == (1, 0)
    assert compared['metrics']['acc@0.5']['value'] == -25
    assert 0 < compared['metrics']['acc@0.5']['p'] <= 1


def test_slices_have_the_difference_of_each_further_system_and_no_interval_of_one_image(summary):
    part = next(part for part in summary.figures['slices'] if part['name'] == 'spatial words')
    assert (part['expressions'], part['images']) == (1, 1)
    assert [system['acc@0.5']['value'] for system in part['systems']] == [100, 0]
    assert part['differences'] == [{'value': -100, 'low': None, 'high': None}]


def test_all_of_it_is_json_and_the_same_for_the_same_seed(tmp_path, summary):
    cases = make_cases(tmp_path)
    again = summarise(cases, [predict(tmp_path, cases, 'some', SOME), predict(tmp_path, cases, 'others', OTHERS)], draws=200)
    assert json.dumps(summary.figures, allow_nan=False) == json.dumps(again.figures, allow_nan=False)


def test_a_reader_is_told_of_absent_boxes_boxes_outside_and_scores_by_another_rule(tmp_path):
    cases = make_cases(tmp_path)
    records = answers(*SOME[:3], None)
    records[0].update(iou=0.4)
    records[1].update(iou=0.0, box=[30, 10, 60, 40])
    path = write_lines(tmp_path / 'p.jsonl', records)
    few, *notes = summarise(cases, [read_predictions(path, cases, 'odd', None, True)], draws=10).figures['notes']
    assert few == 'Only 3 images: the intervals are rough.'
    assert notes[0] == 'odd gave no box for 1 expression: misses.'
    assert 'another IoU than this report for 1 expression, by up to 0.600' in notes[1]
    assert '25 % of the boxes of odd reach beyond their image' in notes[2]


def test_a_slice_is_set_against_the_whole_in_the_same_draws(summary):
    for part in summary.figures['slices']:
        for whole, system, against in zip(summary.figures['systems'], part['systems'], part['against_all'], strict=True):
            overall = whole['metrics']['acc@0.5']['value']
            assert against['value'] == pytest.approx(system['acc@0.5']['value'] - overall)
            assert part['images'] > 1 or against['low'] is None
