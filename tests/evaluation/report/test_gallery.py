import base64
import io

import numpy as np
from PIL import Image

from mmduet.evaluation.report.gallery import Album, choose_groups, describe_case, encode_image
from mmduet.evaluation.report.summary import summarise
from tests.report_data import OTHERS, SOME, make_cases, predict


def make_summary(tmp_path, *names):
    cases = make_cases(tmp_path)
    boxes = {'some': SOME, 'others': OTHERS}
    return summarise(cases, [predict(tmp_path, cases, name, boxes[name]) for name in names], draws=10)


def test_the_worst_come_first_and_no_image_twice(tmp_path):
    worst, chosen = choose_groups(make_summary(tmp_path, 'some'), 3)
    assert worst.cases == (1, 3, 2)
    assert len(chosen.cases) == 3 and len({(0, 0, 1, 2)[index] for index in chosen.cases}) == 3
    assert choose_groups(make_summary(tmp_path, 'some'), 1)[0].cases == (1,)


def test_flipped_cases_have_groups_of_their_own_both_ways(tmp_path):
    groups = {group.title: group for group in choose_groups(make_summary(tmp_path, 'some', 'others'), 5)}
    assert groups['Right only by others'].cases == (1,)
    assert sorted(groups['Right only by some'].cases) == [0, 3]
    assert groups['Right only by some'].about.startswith('2 expressions; some finds the target and others does not')


def test_an_image_becomes_a_small_jpeg_and_a_tiny_one_keeps_its_size():
    for size, expected in (((800, 600), (360, 270)), ((64, 48), (64, 48))):
        uri = encode_image(np.zeros((size[1], size[0], 3), np.uint8))
        kind, data = uri.split(',')
        assert kind == 'data:image/jpeg;base64'
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == expected


def test_a_card_has_boxes_words_and_what_was_found(tmp_path):
    card = describe_case(1, make_summary(tmp_path, 'some', 'others'), Album(tmp_path / 'images'))
    assert [(answer['name'], answer['text']) for answer in card['answers']] == [
        ('some', 'IoU 0.00, on another object of its category'), ('others', 'IoU 1.00')]
    assert [answer['box'] for answer in card['answers']] == [[0, 0, 10, 10], [20, 0, 30, 10]]
    assert card['targets'] == [[20, 0, 30, 10]]
    assert card['uri'].startswith('data:image/jpeg')
    assert (card['annotation'].expression, card['annotation'].expression_id) == ('the second cup next to the red laptop', '2')


def test_an_image_that_cannot_be_read_leaves_an_empty_frame_and_a_sentence(tmp_path):
    album = Album(tmp_path / 'nowhere')
    assert describe_case(0, make_summary(tmp_path, 'some'), album)['uri'] is None
    assert 'a.png' in album.problems['a.png']
    assert Album(None).find('a.png') is None
