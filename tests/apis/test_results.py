import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from mmduet.apis import GroundingInferencer
from mmduet.apis.image_inputs import ImageInput
from mmduet.apis.results import GroundingResult, GroundingResults
from mmduet.io.errors import ImageError


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


def test_one_answer_may_be_a_file_and_several_are_a_folder(tmp_path):
    one, two = GroundingResults([make_result()]), GroundingResults([make_result()] * 2)
    assert one.save(tmp_path / 'new/answer.png') == [tmp_path / 'new/answer.png']
    for results, name, message in ((two, 'b.png', 'holds one answer, and there are 2: name a folder'),
                                   (GroundingResults(), 'b.jpg', 'holds one answer, and there are 0'),
                                   (one, 'b.txt', 'is neither JSON nor an image: name a folder, or a file that ends in .json'),
                                   (two, 'b.jsonl', 'is neither JSON nor an image')):
        with pytest.raises(ValueError, match=message):
            results.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ['new']
    (tmp_path / 'folder.png').mkdir()
    assert [len(two.save(tmp_path / name)) for name in ('folder.png', 'run.v2')] == [2, 2]


def test_an_image_that_changed_or_is_gone_is_not_drawn_on(tmp_path):
    Image.new('RGB', (64, 64), 'red').save(tmp_path / 'a.png')
    array = np.zeros((64, 64, 3), np.uint8)
    ground = GroundingInferencer(device='cpu')
    of_file, of_array = ground([tmp_path / 'a.png', array], 'the circle', channel_order='rgb')
    drawn = [result.draw() for result in (of_file, of_array)]
    array[:] = 255
    assert np.array_equal(of_array.draw(), drawn[1]) and np.array_equal(of_file.draw(), drawn[0])
    for colour, size in (('blue', 64), ('red', 32)):
        Image.new('RGB', (size, size), colour).save(tmp_path / 'a.png')
        with pytest.raises(ImageError, match=r'a\.png has changed since its answer: ask about it again'):
            of_file.save(tmp_path / 'drawn.png')
    (tmp_path / 'a.png').unlink()
    with pytest.raises(ImageError, match=r'a\.png cannot be read: No such file'):
        of_file.draw()
    assert not (tmp_path / 'drawn.png').exists()


def test_answers_about_every_kind_of_image_travel_between_processes(tmp_path):
    Image.new('RGB', (64, 64), 'red').save(tmp_path / 'a.png')
    array = np.zeros((64, 64, 3), np.uint8)
    images = [tmp_path / 'a.png', (tmp_path / 'a.png').read_bytes(), Image.fromarray(array), array, torch.zeros(3, 64, 64)]
    (tmp_path / 'b.png').touch()
    results = GroundingInferencer(device='cpu')([*images, tmp_path / 'b.png'], 'the yak', channel_order='rgb', skip_broken=True)
    again = pickle.loads(pickle.dumps(results))
    assert again == results and type(again) is GroundingResults and again[0].unknown_words == ('yak', )
    assert list(map(str, again.broken)) == list(map(str, results.broken)) and len(again.broken) == 1
    assert all(np.array_equal(one.draw(), other.draw()) for one, other in zip(again, results, strict=True))


def test_a_suffix_of_no_image_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match=r'must end in \.json, or as an image does'):
        make_result().save(tmp_path / 'new/drawn.mp3')
    assert list(tmp_path.iterdir()) == []
    assert Image.open(make_result().save(tmp_path / 'new/drawn.jpg')).format == 'JPEG'


def test_a_drawing_does_not_take_the_place_of_its_image(tmp_path):
    Image.new('RGB', (400, 60)).save(tmp_path / 'cat.png')
    before = (tmp_path / 'cat.png').read_bytes()
    with pytest.raises(ValueError, match=r'cat\.png is read here, and what is written would take its place'):
        make_result(str(tmp_path / 'cat.png')).save(tmp_path / 'cat.png')
    assert (tmp_path / 'cat.png').read_bytes() == before
    assert make_result(str(tmp_path / 'cat.png')).save(tmp_path / 'answer.png').is_file()
