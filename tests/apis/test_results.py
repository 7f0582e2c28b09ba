import json

import numpy as np
import pytest
from PIL import Image

from mmduet.apis.image_inputs import ImageInput
from mmduet.apis.results import GroundingResult, GroundingResults


def make_result(source='photos/a b.jpg', score=None, expression='the red ball'):
    pixels = np.zeros((60, 400, 3), dtype=np.uint8)
    return GroundingResult(source, expression, (10.0, 5.0, 50.0, 40.0), score, (400, 60), ImageInput(source, lambda: pixels))


def test_an_answer_as_data_says_image_expression_box_score_and_size():
    expected = {'image': 'photos/a b.jpg', 'expression': 'der große Ball', 'box': [10.0, 5.0, 50.0, 40.0], 'score': 0.75,
                'width': 400, 'height': 60}
    result = make_result(score=0.75, expression='der große Ball')
    assert result.to_dict() == expected and json.loads(result.to_json()) == expected
    assert 'große' in result.to_json()


def test_a_score_is_written_under_the_image():
    plain, scored = (np.asarray(make_result(score=score).draw()) for score in (None, 0.75))
    assert plain.shape == scored.shape and (plain != scored).any() and (plain[:60] == scored[:60]).all()


@pytest.mark.parametrize(('source', 'name'), [
    ('photos/a b.jpg', 'a_b'), ('https://x.org/d/cat.PNG?size=2', 'cat'), ('array 3', 'array_3'),
    ('a/' + 'n' * 80 + '.png', 'n' * 60), ('/?', 'image')])
def test_the_file_of_an_answer_is_named_after_its_image(tmp_path, source, name):
    assert GroundingResults([make_result(source)]).save(tmp_path) == [tmp_path / f'0000_{name}.png']


def test_some_of_the_answers_are_answers_and_one_is_one():
    results = GroundingResults([make_result(), make_result('b.png'), make_result('c.png')])
    assert [each.source for each in results[1:]] == ['b.png', 'c.png'] and isinstance(results[1:], GroundingResults)
    assert isinstance(results[0], GroundingResult)
    assert [each['image'] for each in json.loads(results[:2].to_json())] == ['photos/a b.jpg', 'b.png']


def test_a_suffix_of_no_image_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match=r'must end in \.json, or as an image does'):
        make_result().save(tmp_path / 'new/drawn.mp3')
    assert list(tmp_path.iterdir()) == []
    assert Image.open(make_result().save(tmp_path / 'new/drawn.jpg')).format == 'JPEG'
