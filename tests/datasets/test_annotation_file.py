import hashlib

import numpy as np
import pytest

from mmduet.datasets import Annotation, AnnotationError, AnnotationStore, read_annotations, write_annotations
from tests.tiny_data import line, write_lines


def read(tmp_path, *records):
    return read_annotations(write_lines(tmp_path / 'val.jsonl', list(records)))


def test_a_line_is_read_with_float_box_and_clean_text(tmp_path):
    assert read(tmp_path, line(expression='  left\tcup\n of  Tea ', box=[4, 5, 20, 25.5])) == [Annotation(
        expression_id='1', image='a.png', image_id=1, width=40, height=30, expression='left cup of Tea',
        box=(4.0, 5.0, 20.0, 25.5), split='train', ref_id=3, ann_id=7, category='cup')]


def test_optional_fields_may_be_absent_and_foreign_fields_are_ignored(tmp_path):
    (annotation, ) = read(tmp_path, line(ref_id=..., ann_id=..., category=..., colour='red'))
    assert (annotation.ref_id, annotation.ann_id, annotation.category) == (None, None, None)


def test_what_is_written_is_read_back_without_rounding(tmp_path):
    annotation = Annotation(expression_id='9', image='train2017/ä.jpg', image_id='x', width=3, height=2, expression='café',
                            box=(0.1 + 0.2, 1 / 3, 1.0, 2.0), split='val')
    path = tmp_path / 'val.jsonl'
    assert write_annotations(path, [annotation]) == 1
    assert read_annotations(path) == [annotation]


@pytest.mark.parametrize('field', ['expression_id', 'image', 'image_id', 'width', 'height', 'expression', 'box', 'split'])
def test_a_missing_field_is_named_with_file_and_line(tmp_path, field):
    with pytest.raises(AnnotationError, match=rf"val\.jsonl:2: field '{field}' is missing"):
        read(tmp_path, line(), line(**{'expression_id': '2', field: ...}))


@pytest.mark.parametrize(('field', 'value', 'message'), [
    ('expression', '', 'is blank'),
    ('expression', ' \t ', 'is blank'),
    ('expression', '\u200b', r"is blank: it has only characters that nobody sees, '.u200b'"),
    ('expression', '\u2060 \ufeff\u200d', 'is blank: it has only'),
    ('expression', '\x00\u00ad', 'is blank: it has only'),
    ('expression', '\u0301', 'is blank: it has only'),
    ('expression', '\ufffd', 'is blank: it has only'),
    ('expression', 'a \ud83d cup', r"holds half a character, '.ud83d': 'a .ud83d cup'"),
    ('image', 'a\udcff.jpg', "holds half a character, '.udcff'"),
    ('category', '\udc31', 'holds half a character'),
    ('expression', ['left', 'cup'], 'must be text'),
    ('expression_id', 12, 'must be text, got 12'),
    ('width', 0, 'must be a positive whole number, got 0'),
    ('height', 30.5, 'must be a positive whole number'),
    ('image_id', 1.5, 'must be a whole number or text'),
    ('kind', 3, 'must be text or null, got 3'),
    ('box', [1, 2, 10**400, 4], 'must be four finite numbers'),
    ('box', [1, 2, 3], 'must be four finite numbers'),
    ('box', [1, 2, 3, float('nan')], 'must be four finite numbers'),
    ('box', [1, 2, True, 4], 'must be four finite numbers'),
    ('box', [30.0, 5.0, 10.0, 20.0], r'must have x1 <= x2 and y1 <= y2, got .* is it x, y, width, height\?'),
])
def test_an_impossible_value_is_named_with_file_line_and_field(tmp_path, field, value, message):
    with pytest.raises(AnnotationError, match=rf"val\.jsonl:1: field '{field}' {message}"):
        read(tmp_path, line(**{field: value}))


@pytest.mark.parametrize('image', ['../x.png', '/etc/passwd', '/dev/zero', 'a/../../x.png', 'C:\\x.png', 'a\0b.png'])
def test_an_image_outside_its_folder_is_refused(tmp_path, image):
    with pytest.raises(AnnotationError, match=r"val\.jsonl:1: field 'image' must be a file inside the folder of the images"):
        read(tmp_path, line(image=image))


@pytest.mark.parametrize('split', ['../../../x', '/tmp/x', 'a/b', 'a' * 300, 'a\0b', '.', 'objects'])
def test_a_split_that_cannot_be_the_name_of_its_file_is_refused(tmp_path, split):
    with pytest.raises(AnnotationError, match=r"val\.jsonl:1: field 'split' must be (a plain name|another word)"):
        read(tmp_path, line(split=split))


@pytest.mark.parametrize(('text', 'message'), [
    ('{"expression_id": "1"', 'not valid JSON'), ('[1, 2]', 'must be a JSON object')])
def test_a_line_that_does_not_parse_is_named(tmp_path, text, message):
    with pytest.raises(AnnotationError, match=rf'val\.jsonl:2: {message}'):
        read(tmp_path, line(), text)


def test_a_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(AnnotationError, match=r'val\.jsonl does not exist; mmduet prepare makes it'):
        read_annotations(tmp_path / 'val.jsonl')


@pytest.mark.parametrize('records', [[], ['', ' ']])
def test_an_empty_file_is_an_error(tmp_path, records):
    with pytest.raises(AnnotationError, match=r'val\.jsonl is empty'):
        read(tmp_path, *records)


def test_an_id_may_repeat_in_another_split_but_not_in_its_own(tmp_path):
    assert len(read(tmp_path, line(), line(split='val'))) == 2
    with pytest.raises(AnnotationError, match=r"val\.jsonl:3: field 'expression_id' repeats '1' of split 'train'"):
        read(tmp_path, line(), line(split='val'), line())


def test_the_store_joins_files_and_is_indexed_from_both_ends(tmp_path):
    first = write_lines(tmp_path / 'train.jsonl', [line(), line(expression_id='2')])
    second = write_lines(tmp_path / 'val.jsonl', [line(expression_id='3', box=[0, 0, 1, 1], width=9)])
    store = AnnotationStore([first, second])
    assert [a.expression_id for a in store] == ['1', '2', '3']
    assert store[-1].expression_id == '3'
    assert [a.expression_id for a in store[1:]] == ['2', '3']
    np.testing.assert_array_equal(store.boxes, [[4.5, 5.25, 20, 25.5]] * 2 + [[0, 0, 1, 1]])
    np.testing.assert_array_equal(store.sizes, [[40, 30], [40, 30], [9, 30]])
    with pytest.raises(IndexError, match='expression 3 of 3'):
        store[3]


def test_the_first_expressions_of_each_file_are_a_part_of_more(tmp_path):
    paths = [write_lines(tmp_path / f'{split}.jsonl', [line(expression_id=str(k), split=split) for k in range(5)] + ['\n'])
             for split in ('train', 'val')]
    ids = {first: [(a.split, a.expression_id) for a in AnnotationStore(paths, first)] for first in (1, 3, 5)}
    assert ids[1] == [('train', '0'), ('val', '0')]
    assert ids[3][:3] == [('train', '0'), ('train', '1'), ('train', '2')]
    assert ids[5] == [(a.split, a.expression_id) for a in AnnotationStore(paths)]
    assert len(AnnotationStore(paths, 3).boxes) == len(AnnotationStore(paths, 3).sizes) == 6


@pytest.mark.parametrize(('first', 'message'), [
    (0, 'first must be a positive whole number of expressions, got 0'), (-2, 'positive whole number'),
    (2.0, 'positive whole number'), (True, 'positive whole number'),
    (3, r'train\.jsonl holds 2 expressions, fewer than the first 3 .*first=None takes all$')])
def test_a_number_of_first_expressions_that_makes_no_sense_is_refused(tmp_path, first, message):
    path = write_lines(tmp_path / 'train.jsonl', [line(), line(expression_id='2')])
    with pytest.raises(AnnotationError, match=message):
        AnnotationStore([path], first)


def test_a_hash_tells_the_file_of_a_split_whatever_part_of_it_is_read(tmp_path):
    records = [line(), line(expression_id='2', expression='the cup')]
    path = write_lines(tmp_path / 'train.jsonl', records)
    other = write_lines(tmp_path / 'val.jsonl', [line(split='val')])
    hashes = AnnotationStore([path, other]).hashes
    assert hashes == {'train': hashlib.sha256(path.read_bytes()).hexdigest(),
                      'val': hashlib.sha256(other.read_bytes()).hexdigest()}
    assert AnnotationStore([path], first=1).hashes == {'train': hashes['train']}
