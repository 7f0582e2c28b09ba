import numpy as np
import pytest

from mmduet.visualization.answer_image import LEAST, draw_answer
from mmduet.visualization.answer_sheet import PREDICTION


def red_of(paper):
    rows, columns = np.nonzero((np.asarray(paper) == PREDICTION).all(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_a_small_image_is_enlarged_by_a_whole_number_and_its_box_with_it():
    image = np.zeros((50, 100, 3), dtype=np.uint8)
    paper = draw_answer(image, (10, 10, 40, 30), 'a ball')
    assert LEAST // 100 == 3 and paper.width == LEAST and paper.height > 150
    left = (LEAST - 300) // 2
    assert red_of(paper) == pytest.approx((left + 30, 30, left + 120, 90), abs=1)


def test_a_large_image_is_made_smaller_only_where_it_is_asked_for():
    image = np.zeros((1000, 2000, 3), dtype=np.uint8)
    assert draw_answer(image, (0, 0, 10, 10), 'a').width == 2000
    paper = draw_answer(image, (1000, 500, 2000, 1000), 'a', longest=500)
    assert paper.width == 500 and red_of(paper) == pytest.approx((250, 125, 499, 249), abs=1)


@pytest.mark.parametrize('shape', [(1, 1), (1, 400), (400, 1)])
def test_narrow_images_and_boxes_at_their_edges_are_drawn(shape):
    paper = draw_answer(np.zeros((*shape, 3), dtype=np.uint8), (0, 0, shape[1], shape[0]), 'x')
    assert paper.width >= LEAST and red_of(paper)[2] < paper.width


def test_a_long_caption_takes_lines_and_an_empty_one_too():
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    one, many = (draw_answer(image, (0, 0, 5, 5), text).height for text in ('', 'the red ball left of the star ' * 8))
    assert many > one + 40
