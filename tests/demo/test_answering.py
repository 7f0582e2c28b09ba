import json

import numpy as np
import pytest
from PIL import Image

from mmduet.apis import GroundingInferencer, PretrainedGrounder
from mmduet.apis.teachers import build_teacher
from mmduet.demo import Answerer, DemoError, html
from mmduet.demo.answering import MOST_EXPRESSIONS, read_expressions
from mmduet.demo.examples import ENLARGED, write_examples
from mmduet.refshapes import make_example


@pytest.fixture(scope='module')
def answerer():
    grounder = PretrainedGrounder.from_pretrained('toy')
    return Answerer(GroundingInferencer(grounder), build_teacher(grounder.description.teacher))


def test_examples_are_enlarged_scenes_and_the_toy_answers_as_for_the_scene(answerer, tmp_path):
    examples = write_examples(tmp_path, 3)
    assert [path.name for path, _ in examples] == ['shapes_1.png', 'shapes_2.png', 'shapes_3.png']
    assert [len(text.splitlines()) for _, text in examples] == [2, 2, 2]
    assert write_examples(tmp_path, 3) == examples
    path, text = examples[0]
    scene = make_example(2026, 'val', 0).image
    assert np.array_equal(np.asarray(Image.open(path))[::ENLARGED, ::ENLARGED], scene)
    found = json.loads(answerer(path, text).json)
    plain = answerer.ground(scene, text.splitlines(), channel_order='rgb')
    for entry, result in zip(found, plain, strict=True):
        assert entry['box'] == pytest.approx([ENLARGED * value for value in result.box], abs=1)
        assert (entry['image'], entry['expression'], entry['score']) == ('shapes_1.png', result.expression,
                                                                         pytest.approx(result.score, abs=0.02))


def test_an_answer_has_a_picture_a_legend_and_two_maps_for_each_expression(answerer, tmp_path):
    path, _ = write_examples(tmp_path, 1)[0]
    found = answerer(path, ' the   circle \n\n\tthe ring\n', 'mine.png')
    assert [text for text, _ in found.legend] == ['the circle', 'the ring']
    assert all(0 < score < 1 for _, score in found.legend)
    assert len(found.attention) == len(found.similarity) == 2
    assert found.picture.size == (640, 640) and found.download.height > found.picture.height
    assert [entry['image'] for entry in json.loads(found.json)] == ['mine.png'] * 2
    assert Answerer(answerer.ground)(path, 'the ring').similarity == []


def test_words_that_the_student_does_not_know_are_said_beside_the_answer(answerer, tmp_path, capsys):
    path, _ = write_examples(tmp_path, 1)[0]
    assert answerer(path, 'the ring').unknown_words == []
    found = answerer(path, 'the Yak\nthe ring\na yeti and a Yak')
    assert found.unknown_words == ['Yak', 'yeti'] and len(found.legend) == 3
    assert '“Yak”, “yeti”: it reads' in html.unknown_words(found.unknown_words)


def test_what_cannot_be_answered_is_said_in_words(answerer, tmp_path):
    path, _ = write_examples(tmp_path, 1)[0]
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'cut.png').write_bytes(path.read_bytes()[:2000])
    (tmp_path / 'empty.jpg').touch()
    cases = [(path, ' \n ', 'write an expression'), (path, None, 'write an expression'),
             (None, 'a ball', 'Choose an image first'), (path, 'a' * 501, '501 letters is too long'),
             (path, 'a\n' * (MOST_EXPRESSIONS + 1), '13 expressions are too many'),
             (tmp_path / 'notes.txt', 'a', r'cannot be used: holiday\.heic is no image \(of JPEG'),
             (tmp_path / 'cut.png', 'a', r'holiday\.heic is truncated or broken'),
             (tmp_path / 'empty.jpg', 'a', r'holiday\.heic is empty')]
    for file, text, message in cases:
        with pytest.raises(DemoError, match=message) as caught:
            answerer(file, text, 'holiday.heic')
        assert str(tmp_path) not in str(caught.value)
    assert read_expressions('a\n \n\u200b\nb') == ['a', 'b']
    assert read_expressions('a\n' * MOST_EXPRESSIONS) == ['a'] * MOST_EXPRESSIONS


def test_text_of_users_stays_text():
    evil = '<img src=x onerror=alert(1)>"\''
    parts = [html.title(evil, 1000, evil), html.error(evil), html.legend([(evil, 0.5), (evil, None)]),
             html.maps([Image.new('RGB', (4, 4))], [], [evil])]
    assert all('<img src=x' not in part and '&lt;img src=x' in part for part in parts)
    assert '50% sure' in parts[2] and parts[2].count('sure') == 1
    assert 'role="note"' not in html.title('TransVG', 1000, '')
    assert html.maps([], [], [evil]) == '<p class="duet-help">This student does not say where it looks.</p>'
