import math

import pytest

from projects.ablation.estimates import estimate, incomplete_beta, t_distribution, t_quantile


@pytest.mark.parametrize(('probability', 'freedom', 'expected'), [
    # Student's table, as printed in any textbook.
    (0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 3, 3.182), (0.975, 4, 2.776), (0.975, 7, 2.365), (0.975, 9, 2.262),
    (0.975, 30, 2.042), (0.975, 120, 1.980), (0.95, 10, 1.812), (0.995, 5, 4.032), (0.9, 1, 3.078), (0.999, 4, 7.173),
])
def test_quantiles_are_those_of_the_table(probability, freedom, expected):
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=6e-4)
    assert t_quantile(1 - probability, freedom) == pytest.approx(-expected, abs=6e-4)


def test_one_degree_of_freedom_is_the_cauchy_distribution():
    assert t_distribution(1, 1) == pytest.approx(0.75, abs=1e-12)
    assert t_distribution(-1, 1) == pytest.approx(0.25, abs=1e-12)
    assert t_quantile(0.5, 3) == pytest.approx(0, abs=1e-12)


def test_incomplete_beta_has_its_closed_forms():
    assert incomplete_beta(1, 1, 0.3) == pytest.approx(0.3, abs=1e-12)
    assert incomplete_beta(2, 1, 0.3) == pytest.approx(0.09, abs=1e-12)
    assert incomplete_beta(1, 3, 0.9) == pytest.approx(1 - 0.001, abs=1e-12)
    assert (incomplete_beta(2, 3, 0), incomplete_beta(2, 3, 1)) == (0, 1)


@pytest.mark.parametrize(('probability', 'freedom'), [(0, 3), (1, 3), (math.nan, 3), (0.5, 0)])
def test_a_quantile_that_does_not_exist_is_refused(probability, freedom):
    with pytest.raises(ValueError, match='must hold'):
        t_quantile(probability, freedom)


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
