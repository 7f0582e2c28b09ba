import pytest

from mmduet.export.timing import EAGER, OPTIMISED, WARM_UP, time_predictors
from tests.export.made_grounders import TINY, make_grounder


def test_all_take_turns_and_the_first_rounds_do_not_count():
    asked = []

    def answer(image, text, channel_order):
        asked.append((image.shape, text, channel_order))

    seconds = time_predictors(make_grounder(), {'onnxruntime': answer}, rounds=3)
    assert list(seconds) == [EAGER, OPTIMISED, 'onnxruntime'] and min(seconds.values()) > 0
    assert len(asked) == WARM_UP + 3 and len(set(asked)) == 1
    assert asked[0][0] == (360, 480, 3) and asked[0][2] == 'rgb'


@pytest.mark.parametrize('rounds', [0, -3])
def test_no_round_is_no_time(rounds):
    with pytest.raises(ValueError, match=f'rounds must be positive, got {rounds}'):
        time_predictors(make_grounder(TINY['CLIPVG']()), {}, rounds)
