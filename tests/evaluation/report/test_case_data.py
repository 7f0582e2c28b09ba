import json

import pytest

from mmduet.evaluation.report.case_data import gather_cases, to_script
from mmduet.evaluation.report.gallery import Album
from mmduet.evaluation.report.summary import summarise
from tests.report_data import EVIL, OTHERS, SOME, make_cases, predict


@pytest.fixture
def summary(tmp_path):
    cases = make_cases(tmp_path)
    systems = [predict(tmp_path, cases, 'some', SOME), predict(tmp_path, cases, 'none', [None, *OTHERS[1:]])]
    return summarise(cases, systems, draws=10)


def test_every_case_has_its_words_boxes_and_answers(tmp_path, summary):
    data = gather_cases(summary, Album(tmp_path / 'images'))
    assert (data['systems'], data['splits'], data['left_out'], data['without_image']) == (['some', 'none'], ['val'], 0, 0)
    assert data['cases'][0] == ['1', 0, 'left cup', 0, [[0, 0, 10, 10]], [[1.0, 0, [0, 0, 10, 10], 0.5], [0.0, 6, None, 0.5]]]
    assert data['cases'][3][5][0] == [0.5, 0, [10, 10, 20, 15], 0.5]
    assert [image[:3] for image in data['images']] == [[f'{name}.png', 40, 30] for name in 'abc']
    assert all(image[3].startswith('data:image/jpeg;base64,') for image in data['images'])
    names = [part['name'] for part in summary.figures['slices']]
    assert data['slices'][names.index('8 to 10 words')] == [1] and len(data['slices']) == len(names)


def test_cases_and_images_are_bounded_and_what_is_left_out_is_counted(tmp_path, summary):
    data = gather_cases(summary, Album(tmp_path / 'images'), most_cases=3, most_bytes=1)
    assert (len(data['cases']), data['left_out'], data['without_image']) == (3, 1, 1)
    assert [image[3] is None for image in data['images']] == [False, True]
    assert all(index < 3 for part in data['slices'] for index in part)
    assert gather_cases(summary, Album(None))['without_image'] == 3


def test_json_stands_in_a_page_whatever_it_says():
    values = [EVIL, '</script><!--', '\u2028', 'é']
    text = to_script(values)
    assert json.loads(text) == values and not set('<>&') & set(text) and text.isascii()
