import json
import math

import numpy as np
import pytest

from mmduet.evaluation.report.predictions import read_predictions
from mmduet.io.errors import DataError
from tests.report_data import SOME, answers, make_cases
from tests.tiny_data import write_lines

BOXES = [[float(value) for value in box] for box in SOME]
SIZES = [[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 20, 20], [10, 10, 10, 5]]


@pytest.fixture
def cases(tmp_path):
    return make_cases(tmp_path)


def write(tmp_path, name, content):
    path = tmp_path / name
    if path.suffix == '.jsonl':
        return write_lines(path, content)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(('name', 'content', 'box_format'), [
    ('p.jsonl', answers(*SOME)[::-1], None), ('p.json', answers(*SOME)[::-1], None), ('p.jsonl', answers(*SIZES), 'xywh'),
    ('p.jsonl', SOME, 'xyxy'), ('p.json', SIZES, 'xywh'),
    ('p.csv', '0,0,10,10\n0,0,10,10\n\n0, 0,20,20\n10,10,20,15\n', 'xyxy'),
    ('p.csv', 'x,y,w,h\n0,0,10,10\n0,0,10,10\n0,0,20,20\n10,10,10,5\n', None),
    ('p.csv', '\ufeffsplit,expression_id,x1,y1,x2,y2,score\nval,4,10,10,20,15,1\n,3,0,0,20,20,1\nval,2,0,0,10,10,\n'
              'val,1,0,0,10,10,1', None)])
def test_every_format_gives_the_same_boxes_in_the_order_of_the_expressions(tmp_path, cases, name, content, box_format):
    read = read_predictions(write(tmp_path, name, content), cases, 'ours', box_format)
    assert read.boxes.tolist() == BOXES
    assert read.name == 'ours'


def test_scores_overlaps_and_the_hash_of_the_file_are_kept(tmp_path, cases):
    records = answers(*SOME)
    records[0]['iou'] = 1.0
    read = read_predictions(write(tmp_path, 'p.jsonl', records), cases, 'a')
    assert read.scores.tolist() == [0.5] * 4
    assert read.recorded[0] == 1.0 and np.isnan(read.recorded[1:]).all()
    assert len(read.sha256) == 64


def without(records, **changes):
    """The records with changes to the second; ``...`` takes a field away."""
    second = {name: value for name, value in {**records[1], **changes}.items() if value is not ...}
    return [records[0], second, *records[2:]]


GOOD = answers(*SOME)


@pytest.mark.parametrize(('content', 'message'), [
    (GOOD[:3], r'p\.jsonl: 1 of 4 expressions have no prediction, such as 4; the annotations are .*val\.jsonl'),
    ([*GOOD, GOOD[2]], r'p\.jsonl:5: expression 3 was already answered at .*p\.jsonl:3'),
    (without(GOOD, expression_id='77'), r"p\.jsonl:2: expression_id '77' of split val is not in the annotations .*val\.jsonl"),
    (without(GOOD, split='testA'), r"p\.jsonl:2: expression_id '2' of split testA is not in the annotations"),
    (without(GOOD, expression='a horse'), r"p\.jsonl:2: expression 2 reads 'a horse', in the annotations .*another"),
    (without(GOOD, box=[1, 2, float('nan'), 4]), r'p\.jsonl:2: expression 2 has the box \[1, 2, nan, 4\]; --allow-no-box'),
    (without(GOOD, box=None), r'p\.jsonl:2: expression 2 has the box None; --allow-no-box'),
    (without(GOOD, box=...), r"p\.jsonl:2: expression 2: field 'box' is missing"),
    (without(GOOD, box=[1, 2, 3]), r'p\.jsonl:2: expression 2: box must be four numbers, got \[1, 2, 3\]'),
    (without(GOOD, box=[1, 2, 3, '4']), 'box must be four numbers'),
    (without(GOOD, box=[1, 2, 10**400, 4]), r'p\.jsonl:2: expression 2: box must be four numbers'),
    (without(GOOD, iou=10**400), r"p\.jsonl:2: field 'iou' must be a number"),
    ('[' * 100_000, r'p\.jsonl:1: not valid JSON'),
    (without(GOOD, box=[10, 2, 3, 4]), r'p\.jsonl:2: expression 2: box \[10, 2, 3, 4\] must have x1 <= x2 .*--boxes xywh'),
    (without(GOOD, score='high'), r"p\.jsonl:2: field 'score' must be a number, got 'high'"),
    (without(GOOD, expression_id=...), r'p\.jsonl:2: some entries have an expression_id and some have none'),
    (['{', *GOOD], r'p\.jsonl:1: not valid JSON'),
    (answers(*[[0.1, 0.1, 0.9, 1.0]] * 4), r'p\.jsonl: boxes lie between 0 and 1, or hardly beyond: pixels'),
    (answers(*[[0.1, 0.1, 0.9, 1.002]] * 3, [1, 2, 30, 20]), r'p\.jsonl: boxes lie between 0 and 1'),
    (SOME, r'p\.jsonl: plain boxes need --boxes xyxy \(corners\) or --boxes xywh'),
    (SOME[:3], r'p\.jsonl holds 3 boxes without expression_id, the annotations .*val\.jsonl hold 4 expressions'),
    ([], r'p\.jsonl is empty')])
def test_what_is_wrong_is_named_with_file_line_and_id(tmp_path, cases, content, message):
    with pytest.raises(DataError, match=message):
        read_predictions(write(tmp_path, 'p.jsonl', content), cases, 'a')


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('p.txt', '', r'p\.txt: the name must end in \.jsonl, \.json, \.csv'), ('p.json', {'a': 1}, 'must be a list of boxes'),
    ('p.json', [*GOOD[:3], {**GOOD[3], 'box': [1]}], r'p\.json: entry 4: expression 4: box must be'),
    ('p.csv', 'a,b\n1,2\n', r'p\.csv:1: the header must have x1,y1,x2,y2 or x,y,w,h, got a,b'),
    ('p.csv', 'expression_id,x,y,w,h\n1,0,0,1\n', r'p\.csv:2: has 4 values, the header has 5'),
    ('p.csv', 'expression_id,x,y,w,h\n1,0,0,wide,3\n', r"p\.csv:2: 'wide' is not a number"),
    ('p.csv', 'expression_id,x,y,w,h\n1,0,0,,3\n', r'p\.csv:2: expression 1 has the box \[0.0, 0.0, nan, 3.0\]'),
    ('p.csv', 'expression_id,x,y,w,h\n1,5,5,-1,3\n', r'p\.csv:2: expression 1: box .* negative width or height')])
def test_other_formats_are_checked_as_well(tmp_path, cases, name, content, message):
    with pytest.raises(DataError, match=message):
        read_predictions(write(tmp_path, name, content), cases, 'a')


def test_columns_that_contradict_the_flag_are_refused(tmp_path, cases):
    path = write(tmp_path, 'p.csv', 'expression_id,x1,y1,x2,y2\n1,0,0,1,3\n')
    with pytest.raises(DataError, match=r'p\.csv:2: the columns are xyxy, --boxes says xywh'):
        read_predictions(path, cases, 'a', 'xywh')


def test_a_box_that_was_not_found_is_nan_where_that_is_allowed(tmp_path, cases):
    path = write(tmp_path, 'p.jsonl', without(without(GOOD, box=None), score=None))
    read = read_predictions(path, cases, 'a', allow_no_box=True)
    assert all(map(math.isnan, read.boxes[1]))
    assert math.isnan(read.scores[1])


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path, cases):
    with pytest.raises(DataError, match=r'none\.jsonl does not exist'):
        read_predictions(tmp_path / 'none.jsonl', cases, 'a')
    (tmp_path / 'p.jsonl').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match=r'p\.jsonl:1: is no text in UTF-8'):
        read_predictions(tmp_path / 'p.jsonl', cases, 'a')


def test_the_split_is_needed_where_an_id_is_in_two(tmp_path):
    cases = make_cases(tmp_path, split='testA', expression_id='3')
    records = [*GOOD[:3], {**GOOD[3], 'expression_id': '3', 'split': 'testA'}]
    assert read_predictions(write(tmp_path, 'p.jsonl', records), cases, 'a').boxes.tolist() == BOXES
    with pytest.raises(DataError, match=r"p\.jsonl:3: expression_id '3' is in the splits val, testA: the field 'split'"):
        read_predictions(write(tmp_path, 'p.jsonl', [*GOOD[:2], {**GOOD[2], 'split': ''}]), cases, 'a')


def test_a_file_is_as_good_as_its_worst_line_about_pretraining(tmp_path):
    cases = make_cases(tmp_path)

    def read(words, told=None):
        lines = [{**line, **({} if word is None else {'pretrain_kept_out': word})}
                 for line, word in zip(answers(*SOME), words, strict=True)]
        return read_predictions(write_lines(tmp_path / 'p.jsonl', lines), cases, 'p', excluded=told).excluded

    assert read(['yes'] * 4) == 'yes'
    assert read(['yes', 'unknown', 'yes', 'yes']) == 'unknown'
    assert read(['yes', 'unknown', 'no', 'yes']) == 'no'
    assert read([None] * 4) == 'unknown'
    assert read([None] * 4, told='yes') == 'yes'
    assert read(['unknown'] * 4, told='no') == 'no'
    with pytest.raises(DataError, match=r'p\.jsonl:1: says no of images .*--kept-out says yes'):
        read(['no'] * 4, told='yes')
    with pytest.raises(DataError, match=r"p\.jsonl:2: field 'pretrain_kept_out' must be yes, no or unknown, got 'maybe'"):
        read(['yes', 'maybe', 'yes', 'yes'])
