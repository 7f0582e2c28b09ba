import math

import pytest

from projects.ablation.estimates import estimate


@pytest.mark.parametrize(('confidence', 'count', 'expected'), [
    # Student's table, as printed in any textbook, for one degree of freedom less.
    (0.95, 2, 12.706), (0.95, 3, 4.303), (0.95, 5, 2.776), (0.95, 8, 2.365), (0.9, 11, 1.812), (0.99, 6, 4.032)])
def test_the_half_width_is_that_many_deviations_of_the_mean(confidence, count, expected):
    found = estimate([float(value) for value in range(count)], confidence)
    assert found.half_width * math.sqrt(count) / found.deviation == pytest.approx(expected, abs=6e-4)


def test_an_estimate_has_the_interval_computed_by_hand():
    # Mean 3, deviation sqrt(10 / 4), and 2.776445 * 1.581139 / sqrt(5) = 1.963243.
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.deviation == pytest.approx(1.5811388)
    assert found.half_width == pytest.approx(1.963243, abs=1e-6)
    assert (found.low, found.high) == (pytest.approx(1.036757, abs=1e-6), pytest.approx(4.963243, abs=1e-6))
    assert found.count == 5


def test_two_values_are_an_interval_of_twelve_deviations_of_the_mean():
    # Deviation 2 / sqrt(2), and 12.7062 * sqrt(2) / sqrt(2).
    assert estimate([1.0, 3.0]).half_width == pytest.approx(12.7062, abs=1e-4)


def test_one_value_has_no_interval():
    found = estimate([7.0])
    assert found.mean == 7.0
    assert math.isnan(found.half_width) and math.isnan(found.deviation)


@pytest.mark.parametrize('values', [[], [1.0, math.nan], [math.inf]])
def test_values_that_are_not_finite_are_refused(values):
    with pytest.raises(ValueError, match='finite'):
        estimate(values)
