import math

import pytest

from projects.ablation.records import RunError
from projects.ablation.tables import (
    compare,
    format_exclusion,
    format_gain,
    format_kinds,
    format_table,
    gains_against,
    label_curves,
)
from projects.ablation.tests.tiny_study import make_record

RECORDS = [make_record('plain', 0, 40.0), make_record('plain', 1, 44.0), make_record('plain', 2, 42.0),
           make_record('full', 0, 50.0, step_cpu_ms=90.0), make_record('full', 1, 51.0), make_record('full', 2, 55.0)]


def test_differences_are_paired_by_seed():
    plain, full = compare(RECORDS, ['plain'])
    assert (plain.experiment, plain.seeds, plain.gains) == ('plain', (0, 1, 2), {})
    assert full.values['acc@0.5'].mean == 52.0
    # Differences 10, 7, 13: mean 10, deviation 3, and 4.302653 * 3 / sqrt(3).
    gain = full.gains['plain']['acc@0.5']
    assert (gain.mean, gain.deviation, gain.count) == (10.0, 3.0, 3)
    assert gain.half_width == pytest.approx(7.452413, abs=1e-6)
    assert full.gains['plain']['miou'].half_width == 0.0
    assert full.step_ms == pytest.approx(250 / 3)


def test_only_seeds_of_both_experiments_are_paired():
    _, full = compare([*RECORDS[:2], *RECORDS[3:]], ['plain'])
    assert full.gains['plain']['acc@0.5'].count == 2
    assert full.gains['plain']['acc@0.5'].mean == 8.5
    assert full.values['acc@0.5'].count == 3


def test_the_table_says_mean_deviation_difference_and_interval():
    lines = format_table(compare(RECORDS, ['plain']), ['plain']).splitlines()
    assert lines[0] == ('| experiment | seeds | Acc@0.5 | Acc@0.75 | mIoU | Acc@0.5 minus plain | Acc@0.75 minus plain | '
                        'mIoU minus plain | CPU ms per step |')
    assert lines[1] == '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
    assert lines[2] == '| plain | 3 | 42.0 ± 2.0 | 21.0 ± 1.0 | 10.0 ± 0.0 |  |  |  | 80 |'
    assert lines[3] == ('| full | 3 | 52.0 ± 2.6 | 26.0 ± 1.3 | 10.0 ± 0.0 | +10.0 [+2.5, +17.5] (3) | +5.0 [+1.3, +8.7] (3) | '
                        '+0.0 [+0.0, +0.0] (3) | 83 |')


def test_what_all_records_tell_is_tabulated_and_how_alike_the_anchors_are():
    found = {'found': 80.0, 'acc@0.5': 70.0, 'acc@0.75': 50.0, 'acc@0.9': 20.0, 'tight': 25.0, 'miou': 60.0}
    plain, full = make_record('plain', 0, 1.0, val=found), make_record('full', 0, 1.0, val=found, anchor_cosine=0.5)
    lines = format_table(compare([plain, full], []), []).splitlines()
    assert lines[0] == ('| experiment | seeds | found | Acc@0.5 | Acc@0.75 | Acc@0.9 | tight | mIoU | anchors | '
                        'CPU ms per step |')
    assert lines[2:] == ['| plain | 1 | 80.0 | 70.0 | 50.0 | 20.0 | 25.0 | 60.0 |  | 80 |',
                         '| full | 1 | 80.0 | 70.0 | 50.0 | 20.0 | 25.0 | 60.0 | 0.50 | 80 |']


def test_several_experiments_are_compared_with():
    rows = compare(RECORDS, ['plain', 'full', 'absent'])
    assert rows[0].gains['full']['acc@0.5'].mean == -10.0
    assert 'Acc@0.5 minus full' in format_table(rows, ['plain', 'full', 'absent'])
    assert 'absent' not in format_table(rows, ['plain', 'full', 'absent'])


def test_one_seed_has_a_difference_without_an_interval():
    rows = compare([RECORDS[0], RECORDS[3]], ['plain'])
    assert format_gain(rows[1].gains['plain']['acc@0.5']) == '+10.0 (1)'
    assert math.isnan(rows[1].gains['plain']['acc@0.5'].half_width)


def test_runs_that_may_not_be_paired_make_no_table():
    with pytest.raises(RunError, match='other initial weights'):
        compare([*RECORDS[:5], make_record('full', 2, 55.0, student_hash='x')], ['plain'])


def test_a_split_that_was_not_scored_is_named():
    with pytest.raises(RunError, match="plain seed 0 has no scores of 'testA'; it has val"):
        compare(RECORDS, ['plain'], 'testA')


def test_gains_are_gathered_for_a_chart():
    gains = gains_against(compare(RECORDS, ['plain']), 'plain')
    assert list(gains) == ['Acc@0.5', 'Acc@0.75', 'mIoU']
    assert gains['Acc@0.75']['full'].mean == 5.0
    assert gains_against(compare(RECORDS[:3], ['plain']), 'plain') == {}


def test_kinds_are_averaged_over_seeds():
    kinds = [{'attribute': {'acc@0.5': a}, 'relation': {'acc@0.5': 20.0}} for a in (60.0, 70.0)]
    records = [make_record('full', seed, 1.0, val={'kinds': kind}) for seed, kind in enumerate(kinds)]
    assert format_kinds(records).splitlines()[-1] == '| full | 65.0 | 20.0 |'
    assert format_kinds(RECORDS) == ''


def test_a_label_curve_is_over_sizes_that_were_asked_for_and_needs_two():
    records = [make_record('plain', 0, 10.0, train_size=1000), make_record('plain', 1, 14.0, train_size=1000),
               make_record('plain', 0, 30.0, train_size=2000), make_record('plain', 0, 99.0),
               make_record('full', 0, 20.0, train_size=1000)]
    curves = label_curves(records)
    assert {name: {size: point.mean for size, point in points.items()} for name, points in curves.items()} == {
        'plain': {1000: 12.0, 2000: 30.0}}


def test_a_table_says_whether_pretraining_saw_its_images_by_experiment_where_they_differ():
    old = make_record('plain', 0, 40.0)
    new = [make_record('full', seed, 50.0, pretrain_kept_out='yes') for seed in (0, 1)]
    assert format_exclusion(new) == 'val and test images excluded from pre-training: yes'
    assert format_exclusion([old, *new]) == 'val and test images excluded from pre-training: unknown (plain); yes (full)'
