import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from projects.ablation.records import RunError, append_record, check_comparable, latest, read_records
from projects.ablation.tests.tiny_study import make_record


def test_records_are_read_as_they_were_added(tmp_path):
    path = tmp_path / 'new' / 'runs.jsonl'
    first, second = make_record('plain', 0, 40.0), make_record('full', 0, 50.0)
    append_record(path, first)
    append_record(path, second)
    assert read_records(path) == ([first, second], [])
    assert path.read_text().count('\n') == 2


def test_a_file_that_is_not_there_has_no_records(tmp_path):
    assert read_records(tmp_path / 'none.jsonl') == ([], [])


def test_records_added_at_the_same_time_do_not_mix(tmp_path):
    path = tmp_path / 'runs.jsonl'
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: append_record(path, make_record('plain', seed, 1.0)), range(40)))
    records, notes = read_records(path)
    assert sorted(record['seed'] for record in records) == list(range(40))
    assert notes == []


def test_a_truncated_line_is_named_and_harms_no_other(tmp_path):
    path = tmp_path / 'runs.jsonl'
    append_record(path, make_record('plain', 0, 1.0))
    path.write_text(path.read_text() + '{"arm": "fu')
    append_record(path, make_record('full', 0, 2.0))
    records, notes = read_records(path)
    assert [record['arm'] for record in records] == ['plain', 'full']
    assert notes == [f'{path}:2: the line is truncated and left out']


def test_a_line_that_is_no_record_names_what_it_lacks(tmp_path):
    path = tmp_path / 'runs.jsonl'
    path.write_text(json.dumps({'arm': 'plain', 'seed': 0}) + '\n')
    with pytest.raises(RunError, match=r'runs.jsonl:1: no record of a run, it has no config_hash, data_hash'):
        read_records(path)


def test_a_score_that_is_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match='JSON'):
        append_record(tmp_path / 'runs.jsonl', make_record('plain', 0, float('nan')))


def test_the_last_record_of_a_run_counts():
    records = [make_record('plain', 0, 1.0), make_record('plain', 1, 2.0), make_record('plain', 0, 3.0),
               make_record('plain', 0, 4.0, train_size=1000)]
    assert [(r['seed'], r['train_size'], r['val']['acc@0.5']) for r in latest(records)] == [
        (0, None, 3.0), (1, None, 2.0), (0, 1000, 4.0)]


@pytest.mark.parametrize(('changes', 'sentence'), [
    ({'student_hash': 'x'}, r'full seed 1 has other initial weights of the student than plain seed 1 \(x and student 1\)'),
    ({'data_hash': 'x'}, 'full seed 1 has other data than plain seed 0'),
    ({'budget': 90}, 'full seed 1 has another budget of steps than plain seed 0 .90 and 100.'),
    ({'config_hash': 'x'}, 'full seed 1 has another config than full seed 0'),
    ({'order': ['aa', 'cc', 'bb']}, 'full seed 1 saw other expressions, or in another order, than plain seed 1'),
])
def test_runs_that_differ_in_more_than_their_experiment_are_refused(changes, sentence):
    records = [make_record('plain', 0, 1.0), make_record('plain', 1, 1.0), make_record('full', 0, 2.0),
               make_record('full', 1, 2.0, **changes)]
    with pytest.raises(RunError, match=sentence):
        check_comparable(records)


def test_a_longer_run_of_the_same_beginning_is_comparable():
    check_comparable([make_record('plain', 0, 1.0), make_record('longer', 0, 1.0, order=['aa', 'bb', 'cc', 'dd'], steps=120)])


def test_runs_that_take_other_numbers_of_an_image_together_have_orders_of_their_own():
    records = [make_record('plain', 0, 1.0), make_record('grouped', 0, 1.0, order=['cc', 'dd'], expressions_per_image=4),
               make_record('longer', 0, 1.0, order=['cc', 'dd', 'ee'], expressions_per_image=4)]
    check_comparable(records)
    with pytest.raises(RunError, match='full seed 0 saw other expressions, or in another order, than grouped seed 0'):
        check_comparable([*records, make_record('full', 0, 1.0, order=['cc', 'ff'], expressions_per_image=4)])
