import numpy as np
import pytest

from mmduet.visualization.heat_map import draw_heat_map

IMAGE = np.full((30, 60, 3), 128, dtype=np.uint8)


def test_the_highest_is_bright_and_yellow_and_the_lowest_dark_and_blue():
    values = np.zeros((3, 6))
    values[0, 5], values[2, 0] = 1.0, -1.0
    found = np.asarray(draw_heat_map(IMAGE, values, longest=120)).astype(int)
    assert found.shape == (60, 120, 3)
    high, low = found[5, 115], found[55, 5]
    assert high[0] > high[2] + 60 and high[1] > high[2] + 60  # yellow
    assert low[2] > low[1] and high.sum() > low.sum() + 100


def test_equal_values_are_all_the_lowest_and_a_box_is_drawn_where_it_is():
    found = np.asarray(draw_heat_map(IMAGE, np.ones((2, 2)), box=(10, 5, 50, 25), colour=(213, 94, 0), longest=60))
    ours = (found == (213, 94, 0)).all(axis=2)
    rows, columns = np.nonzero(ours)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (10, 5, 50, 25)
    assert len({tuple(pixel) for pixel in np.asarray(draw_heat_map(IMAGE, np.ones((2, 2)))).reshape(-1, 3)}) == 1


@pytest.mark.parametrize('shape', [(1, 1), (1, 400), (400, 1)])
def test_narrow_images_are_drawn(shape):
    picture = draw_heat_map(np.zeros((*shape, 3), np.uint8), np.eye(2), box=(0, 0, shape[1], shape[0]), longest=100)
    assert max(picture.size) == 100 and min(picture.size) >= 1


@pytest.mark.parametrize('values', [np.array([[np.nan, 1.0]]), np.ones(3), np.ones((0, 3))])
def test_what_is_no_map_is_refused(values):
    with pytest.raises(ValueError, match='needs finite values of two axes'):
        draw_heat_map(IMAGE, values)
