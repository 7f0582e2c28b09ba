import json

import pytest

from mmduet.evaluation.report.cases import read_cases
from mmduet.io.errors import DataError
from tests.report_data import OBJECTS, make_cases, make_root
from tests.tiny_data import write_lines


def test_objects_beside_the_annotations_are_found(tmp_path):
    cases = make_cases(tmp_path)
    assert (len(cases), len(cases.objects), cases.images.tolist()) == (4, 3, [0, 0, 1, 2])
    assert cases.objects_path == tmp_path / 'annotations/objects.jsonl'
    others = cases.others(0)
    assert others.boxes.tolist() == [[20, 0, 30, 10], [0, 20, 10, 30]]
    assert others.categories == ('cup', 'dog')


def test_without_them_the_targets_of_an_image_are_its_objects(tmp_path):
    cases = make_cases(tmp_path, objects=False)
    assert cases.objects_path is None
    assert cases.others(0).boxes.tolist() == [[20, 0, 30, 10]]
    assert cases.others(2).boxes.tolist() == []


def test_categories_may_be_absent(tmp_path):
    path = write_lines(tmp_path / 'o.jsonl', [{'image': 'a.png', 'boxes': [[1, 2, 3, 4]]}, {'image': 'other.png', 'boxes': []}])
    assert read_cases([make_root(tmp_path)], path).others(0).categories == (None,)


@pytest.mark.parametrize(('record', 'message'), [
    ('{', r'o\.jsonl:2: not valid JSON'), ([], "o.jsonl:2: field 'image' must be text"),
    ({**OBJECTS[0], 'boxes': [[1, 2]]}, "field 'boxes' must be a list of four numbers"),
    ({**OBJECTS[0], 'boxes': [[1, 2, 3, 'x']]}, "field 'boxes' must be a list of four numbers"),
    (json.dumps({**OBJECTS[0], 'boxes': [[1, 2, 3, float('nan')]]}), "field 'boxes' must be finite"),
    ({**OBJECTS[0], 'boxes': [[1, 2, 3, 10**400]]}, "field 'boxes' must be a list of four numbers"),
    ('[' * 100_000, r'o\.jsonl:2: not valid JSON'),
    ({**OBJECTS[0], 'categories': ['cup']}, 'must have a name for each of 3 boxes')])
def test_a_wrong_line_of_objects_is_named(tmp_path, record, message):
    path = write_lines(tmp_path / 'o.jsonl', [OBJECTS[1], record])
    with pytest.raises(DataError, match=message):
        read_cases([make_root(tmp_path)], path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r'none\.jsonl does not exist'):
        read_cases([tmp_path / 'none.jsonl'])
    with pytest.raises(DataError, match=r'o\.jsonl does not exist'):
        read_cases([make_root(tmp_path)], tmp_path / 'o.jsonl')
