"""Bootstrap intervals and permutation tests that take an image, with all its expressions, as the unit."""
import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmduet.evaluation.report.overlaps import Floats

CONFIDENCE = 0.95
# Means of equal values differ in their last digits.
SAME = 1e-9
DECIMALS = 9
# So many numbers are drawn at once: 64 MB.
CHUNK = 8_000_000


class Interval(NamedTuple):
    """A figure over all expressions and the percentiles of its draws, nan where draws tell nothing (see ``make_interval``)."""

    value: float
    low: float
    high: float


class ImageBootstrap:
    """Draws of as many images as there are, with replacement: the same draws for every figure.

    Expressions of one image are not independent, so that drawing expressions would give too narrow an interval. As all
    figures come from the same draws, differences between systems and between slices are paired.

    ``images`` are the (n,) numbers, from 0, of the expressions' images.
    """

    def __init__(self, images: NDArray[np.int64], draws: int = 1000, seed: int = 0) -> None:
        if not len(images) or draws < 1:
            raise ValueError(f'a bootstrap needs expressions and draws, got {len(images)} and {draws}')
        self.images, self.draws, self.seed = images, draws, seed

    def means(self, values: Floats, mask: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """(k,) means of (n, k) columns over the expressions of an (n,) mask, all where None, and their (draws, k) means in
        each draw, nan for a draw without any of these expressions.
        """
        rows = np.ones(len(values), dtype=np.bool_) if mask is None else mask
        # The mean over expressions is a ratio of sums over images, so that images can be drawn instead of expressions.
        sums = _sum_by_image(np.column_stack([values, np.ones(len(values))]) * rows[:, None], self.images)
        means = values[rows].mean(axis=0)
        if sums.shape[1] < 2:
            return means, np.tile(means, (self.draws, 1))
        with np.errstate(invalid='ignore', divide='ignore'), warnings.catch_warnings():
            warnings.simplefilter('ignore', stats.DegenerateDataWarning)  # draws that are all alike are told apart below
            drawn = stats.bootstrap((sums,), _ratio, n_resamples=self.draws, batch=max(CHUNK // sums.size, 1), axis=-1,
                                    vectorized=True, method='percentile', rng=np.random.default_rng(self.seed))
        return means, drawn.bootstrap_distribution.T

    def intervals(self, values: Floats, mask: NDArray[np.bool_] | None = None) -> list[Interval]:
        """The mean of each of (n, k) columns with its interval; none where the expressions are of one image."""
        means, drawn = self.means(values, mask)
        several = np.ptp(self.images if mask is None else self.images[mask]) > 0
        return [make_interval(float(mean), draws if several else draws[:0]) for mean, draws in zip(means, drawn.T, strict=True)]


def make_interval(value: float, draws: Floats) -> Interval:
    """The percentiles of draws that hold the middle 95 %; draws that are nan are left out.

    Where all draws are alike, as for two expressions that are both right, there is no interval rather than one without width.
    """
    draws = draws[~np.isnan(draws)]
    if not len(draws) or np.ptp(draws) <= SAME:
        return Interval(value, math.nan, math.nan)
    return Interval(value, *np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist())


def permutation_p(differences: Floats, images: NDArray[np.int64], draws: int = 10000, seed: int = 0) -> list[float]:
    """k probabilities of so large mean differences, of either sign, if the two systems were alike.

    The differences of all expressions of an image change their sign together, at random; the observed signs count as one of
    the draws, so that p is at least 1 / (draws + 1). Where there are no more combinations of signs than draws, each is taken
    once instead.

    ``differences`` are (n, k), one system minus the other, and ``images`` as in ``ImageBootstrap``.
    """
    sums = _sum_by_image(differences, images)
    sums = sums[:, np.abs(sums).max(axis=0) > 0]
    if sums.shape[1] < 2:  # one image alone is as far from zero with either sign
        return [1.0] * len(sums)
    test = stats.permutation_test((sums,), _distance, permutation_type='samples', alternative='greater', n_resamples=draws,
                                  batch=max(CHUNK // sums.size, 1), axis=-1, vectorized=True, rng=np.random.default_rng(seed))
    return [float(p) for p in test.pvalue]


def _sum_by_image(values: Floats, images: NDArray[np.int64]) -> Floats:
    """(k, images) sums of (n, k) columns."""
    return np.stack([np.bincount(images, weights=column) for column in values.T])


def _ratio(sums: Floats, axis: int) -> Floats:
    totals: Floats = sums.sum(axis=axis)
    return totals[:-1] / totals[-1:]


def _distance(sums: Floats, axis: int) -> Floats:
    """Sums of hundreds of fractions that are equal on paper differ in the last digits, and must count as equal."""
    return np.round(np.abs(sums.sum(axis=axis)), DECIMALS)
