import numpy as np
import pytest

from mmduet.io.errors import ImageError
from mmduet.visualization.answer_sheet import (
    COLUMNS,
    FONT,
    FONT_SIZE,
    GAP,
    PREDICTION,
    STEP,
    TARGET,
    TILE,
    Answer,
    draw_sheet,
)

LEGEND = FONT_SIZE + 2 * GAP


def answer(**changes):
    image = np.full((40, 80, 3), 128, np.uint8)
    return Answer(**{**dict(image=image, expression='red thing', prediction=(20.0, 10.0, 40.0, 30.0),
                            target=(40.0, 10.0, 60.0, 30.0)), **changes})


def test_target_is_green_and_prediction_red_at_their_position_on_an_enlarged_image():
    sheet = draw_sheet([answer()])
    scale = TILE / 80
    left = GAP
    middle = LEGEND + round(20 * scale)
    assert tuple(sheet[middle, left + round(60 * scale)]) == TARGET
    assert tuple(sheet[middle, left + round(20 * scale)]) == PREDICTION
    assert tuple(sheet[middle, left + round(10 * scale)]) == (128, 128, 128)
    assert tuple(sheet[LEGEND + round(4 * scale), left + round(10 * scale)]) == (128, 128, 128)


def test_tiles_stand_in_rows_of_equal_width():
    sheet = draw_sheet([answer()] * 5, columns=3)
    assert sheet.shape[1] == 3 * (TILE + GAP) + GAP
    assert sheet.dtype == np.uint8
    one_row = draw_sheet([answer()] * 3, columns=3)
    assert sheet.shape[0] - LEGEND == 2 * (one_row.shape[0] - LEGEND)


def test_the_overlap_is_written_in_green_when_it_counts_and_in_red_when_not():
    good = draw_sheet([answer(prediction=(40.0, 10.0, 60.0, 30.0))])
    bad = draw_sheet([answer(prediction=(0.0, 0.0, 1.0, 1.0))])
    text = slice(-2 * GAP - FONT_SIZE, None)
    assert (good[text] == TARGET).all(-1).any()
    assert not (good[text] == PREDICTION).all(-1).any()
    assert (bad[text] == PREDICTION).all(-1).any()


@pytest.mark.parametrize(('prediction', 'iou'), [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((20, 20, 30, 30), 0.0)])
def test_the_iou_of_an_answer(prediction, iou):
    assert answer(prediction=prediction, target=(0, 0, 10, 10)).iou == pytest.approx(iou)


def test_an_answer_without_a_target_has_no_iou_and_is_drawn():
    assert answer(target=None).iou is None
    assert not (draw_sheet([answer(target=None)])[LEGEND:] == TARGET).all(-1).any()


def test_boxes_outside_the_image_are_drawn_at_its_border():
    sheet = draw_sheet([answer(prediction=(-50.0, -50.0, 900.0, 900.0), target=None)])
    assert tuple(sheet[LEGEND + 1, GAP + TILE // 2]) == PREDICTION
    assert tuple(sheet[LEGEND + TILE // 4, GAP + 1]) == PREDICTION
    inverted = draw_sheet([answer(prediction=(70.0, 30.0, 60.0, 20.0), target=None)])
    assert (inverted[LEGEND:] == PREDICTION).all(-1).any()


def test_long_text_is_broken_and_cut():
    one, three, many, long = (draw_sheet([answer(expression=text)]).shape for text in (
        'word', 'word ' * 15, 'word ' * 60, 'x' * 500))
    assert three == many == long
    assert three[0] == one[0] + 2 * STEP
    assert FONT.getlength('W' * COLUMNS) <= TILE


def test_tall_images_fit_their_tile():
    sheet = draw_sheet([answer(image=np.zeros((400, 20, 3), np.uint8))])
    assert sheet.shape[1] == TILE + 2 * GAP


def test_a_missing_image_is_named():
    with pytest.raises(ImageError, match=r'nowhere\.jpg'):
        draw_sheet([answer(image='nowhere.jpg')])


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match='got 0 and 4'):
        draw_sheet([])
