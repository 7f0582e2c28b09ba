import numpy as np
import pytest

from mmduet.datasets.box_units import are_fractions, doubt, mostly_fractions

SIZES = np.tile([640, 480], (40, 1))


def boxes_of(*box):
    return np.tile(np.array(box, dtype=float), (40, 1))


def test_fractions_are_told_also_where_one_goes_beyond_one():
    boxes = boxes_of(.2, .2, .5, .6)
    boxes[7, 2] = 1.002
    assert mostly_fractions(boxes, SIZES)
    boxes[:21] = [100, 100, 300, 300]
    assert not mostly_fractions(boxes, SIZES) and are_fractions(boxes, SIZES).sum() == 19
    assert not mostly_fractions(boxes_of(*[np.nan] * 4), SIZES)
    assert not mostly_fractions(boxes_of(0, 0, 2, 2), np.tile([8, 8], (40, 1)))
    assert not mostly_fractions(boxes_of(0, 0, 0, 0), SIZES)


@pytest.mark.parametrize(('box', 'words'), [
    ((100, 100, 900, 900), '100 % of the boxes stick out of their images, and all end before 1000'),
    ((5, 5, 90, 80), 'percentages'),
    ((10, 10, 300, 300), 'would also fit their images as x, y, width, height'), ((300, 100, 500, 400), ''),
    ((100, 100, 2000, 1500), '')])
def test_other_units_and_forms_are_doubted_where_many_boxes_speak_for_it(box, words):
    said = doubt(boxes_of(*box), SIZES)
    assert words in said and bool(said) is bool(words)
    assert doubt(boxes_of(*box)[:19], SIZES[:19]) == ''
