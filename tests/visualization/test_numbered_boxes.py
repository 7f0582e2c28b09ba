import numpy as np
import pytest

from mmduet.visualization.numbered_boxes import LEAST, add_legend, draw_boxes
from mmduet.visualization.palette import colour_of

IMAGE = np.full((200, 320, 3), 90, dtype=np.uint8)


def extent(picture, colour):
    rows, columns = np.nonzero((np.asarray(picture) == colour).all(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_boxes_have_a_colour_each_and_a_small_image_is_enlarged():
    picture = draw_boxes(IMAGE, [(40, 60, 120, 160), (200, 60, 300, 160)])
    assert picture.size == (640, 400) and LEAST == 640
    assert extent(picture, colour_of(0)) == pytest.approx((80, 120 - 25, 240, 320), abs=3)
    assert extent(picture, colour_of(1))[2] == pytest.approx(600, abs=2)


def test_numbers_of_equal_boxes_lie_side_by_side():
    one, two = (draw_boxes(IMAGE, [(40, 60, 120, 160)] * count) for count in (1, 2))
    first, second = (extent(two.crop((0, 0, 640, 118)), colour_of(number)) for number in (0, 1))
    assert first[2] < second[0]
    assert extent(one.crop((0, 0, 640, 118)), colour_of(0)) == first


@pytest.mark.parametrize(('shape', 'longest'), [((1, 1), 1600), ((1, 400), 1600), ((2000, 3000), 500)])
def test_every_image_is_drawn_within_its_size(shape, longest):
    picture = draw_boxes(np.zeros((*shape, 3), np.uint8), [(0, 0, shape[1], shape[0])], longest=longest)
    assert 1 <= max(picture.size) <= max(longest, LEAST)


def test_a_legend_is_added_under_the_picture():
    picture = draw_boxes(IMAGE, [(40, 60, 120, 160)])
    short, long = add_legend(picture, ['a ball']), add_legend(picture, ['a ball ' * 40, ''])
    assert short.width == picture.width and picture.height < short.height < long.height
    assert np.array_equal(np.asarray(short)[:400], np.asarray(picture))
    assert extent(short.crop((0, 400, *short.size)), colour_of(0))[0] == 12
