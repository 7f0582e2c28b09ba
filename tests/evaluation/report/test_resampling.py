import math

import numpy as np
import pytest

from mmduet.evaluation.report.resampling import ImageBootstrap, make_interval, permutation_p


def test_the_interval_of_a_mean_of_independent_images_is_that_of_the_normal_distribution():
    values = (np.random.default_rng(1).random(2000) < 0.3).astype(float)[:, None] * 100
    interval = ImageBootstrap(np.arange(2000)).intervals(values)[0]
    half = 1.96 * values.std() / math.sqrt(2000)
    assert interval.value == values.mean()
    assert interval.low == pytest.approx(interval.value - half, abs=0.3)
    assert interval.high == pytest.approx(interval.value + half, abs=0.3)


def test_expressions_of_one_image_are_drawn_together():
    values = np.repeat((np.random.default_rng(1).random(200) < 0.5).astype(float), 9)[:, None]
    together = ImageBootstrap(np.repeat(np.arange(200), 9)).intervals(values)[0]
    apart = ImageBootstrap(np.arange(1800)).intervals(values)[0]
    # Nine equal answers are worth one: the interval is three times as wide.
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(3, rel=0.15)


def test_a_mean_weighs_expressions_not_images():
    values = np.array([[1.0], [1.0], [1.0], [0.0]])
    means, drawn = ImageBootstrap(np.array([0, 0, 0, 1]), draws=400).means(values)
    assert means.tolist() == [0.75]
    assert set(drawn[:, 0]) == {0.0, 0.75, 1.0}


def test_a_mask_leaves_expressions_out_and_a_draw_without_any_is_nan():
    values = np.array([[1.0], [0.0], [0.5]])
    means, drawn = ImageBootstrap(np.array([0, 1, 2]), draws=300).means(values, np.array([True, False, False]))
    assert means.tolist() == [1.0]
    assert np.isnan(drawn).any()
    assert set(drawn[~np.isnan(drawn)]) == {1.0}


def test_one_image_has_no_interval():
    interval = ImageBootstrap(np.zeros(5, dtype=int)).intervals(np.ones((5, 1)))[0]
    assert interval.value == 1
    assert math.isnan(interval.low) and math.isnan(interval.high)
    assert math.isnan(make_interval(1.0, np.array([np.nan])).low)


def test_draws_that_are_all_alike_say_nothing_of_the_width():
    assert math.isnan(ImageBootstrap(np.arange(3)).intervals(np.full((3, 1), 100.0))[0].high)


def test_the_same_seed_gives_the_same_draws_and_another_others():
    values, images = np.random.default_rng(0).random((50, 1)), np.arange(50)
    one, two, other = (ImageBootstrap(images, 50, seed).means(values)[1] for seed in (3, 3, 4))
    assert (one == two).all()
    assert (one != other).any()


def test_slices_and_systems_share_the_draws():
    values, images = np.random.default_rng(0).random((60, 2)), np.repeat(np.arange(30), 2)
    bootstrap, mask = ImageBootstrap(images, 50), np.arange(60) % 2 == 0
    _, both = bootstrap.means(values)
    _, second = bootstrap.means(values[:, 1:])
    assert (both[:, 1:] == second).all()
    parts = [bootstrap.means(values, part)[1] for part in (mask, ~mask)]
    assert np.mean(parts, axis=0) == pytest.approx(both)


def test_nothing_and_no_draws_are_refused():
    with pytest.raises(ValueError, match='got 0 and 1000'):
        ImageBootstrap(np.array([], dtype=int))
    with pytest.raises(ValueError, match='got 1 and 0'):
        ImageBootstrap(np.array([0]), draws=0)


def test_equal_systems_have_p_one_and_systems_that_differ_everywhere_the_smallest():
    differences = np.stack([np.zeros(40), np.ones(40)], axis=1)
    assert permutation_p(differences, np.arange(40), draws=999) == [1.0, 0.001]


def test_three_images_of_one_sign_come_by_chance_one_time_in_four():
    assert permutation_p(np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2])) == [0.25]
    assert permutation_p(np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2]), draws=7)[0] != 0.25  # too few to look at all eight


def test_one_image_alone_differs_by_chance():
    assert permutation_p(np.ones((3, 2)), np.zeros(3, dtype=int)) == [1.0, 1.0]
    assert permutation_p(np.zeros((3, 2)), np.arange(3)) == [1.0, 1.0]


def test_by_chance_p_is_below_a_twentieth_one_time_in_twenty():
    rng = np.random.default_rng(5)
    values = [permutation_p(rng.normal(size=(60, 1)), np.arange(60), draws=400, seed=k)[0] for k in range(300)]
    assert 0.02 < np.mean(np.array(values) < 0.05) < 0.09
