"""Bootstrap intervals and permutation tests that take a photo, with all its expressions, as the unit."""
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
# Means of equal values differ in their last digits.
SAME = 1e-9
# So many draws are worked on at once: a matrix of draws x images, 60 MB for 30,000 images.
CHUNK = 250


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval.

    Attributes:
        value: over all expressions.
        low, high: percentiles of the draws; both nan where draws cannot say: fewer than two photos, or all draws alike.
    """

    value: float
    low: float
    high: float


class ImageBootstrap:
    """Draws of as many photos as there are, with replacement: the same draws for everything that is asked of them.

    Expressions of one photo are not independent, so that drawing expressions would give too narrow an interval. As all
    figures come from the same draws, differences between systems and between slices are paired.

    Args:
        images: (n,) number of each expression's photo, from 0.
        draws: how many.
        seed: of the random numbers.

    Raises:
        ValueError: no expression or no draw.
    """

    def __init__(self, images: NDArray[np.int64], draws: int = 1000, seed: int = 0) -> None:
        if not len(images) or draws < 1:
            raise ValueError(f'a bootstrap needs expressions and draws, got {len(images)} and {draws}')
        self.images = images
        self.count = int(images.max()) + 1
        rng = np.random.default_rng(seed)
        self._times = np.empty((draws, self.count), dtype=np.uint8)
        for draw in range(draws):
            # A photo is drawn more than 255 times once in far more draws than anyone asks for.
            self._times[draw] = np.bincount(rng.integers(0, self.count, self.count), minlength=self.count)

    def means(self, values: Floats, mask: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Mean of each column, as it is and in every draw.

        Args:
            values: (n, k).
            mask: (n,) which expressions count; all where None.

        Returns:
            (k,) means and (draws, k) means; nan for a draw without any expression that counts.
        """
        rows = slice(None) if mask is None else mask
        columns = np.column_stack([values[rows], np.ones(len(values[rows]))])
        numbers = self.images[rows]
        sums = np.stack([np.bincount(numbers, weights=column, minlength=self.count) for column in columns.T], axis=1)
        used = sums[:, -1] > 0
        drawn = np.concatenate([self._times[start:start + CHUNK, used].astype(np.float64) @ sums[used]
                                for start in range(0, len(self._times), CHUNK)])
        with np.errstate(invalid='ignore', divide='ignore'):
            return columns[:, :-1].mean(axis=0), drawn[:, :-1] / drawn[:, -1:]

    def intervals(self, values: Floats, mask: NDArray[np.bool_] | None = None) -> list[Interval]:
        """The mean of each of (n, k) columns with its interval."""
        means, drawn = self.means(values, mask)
        photos = len(np.unique(self.images if mask is None else self.images[mask]))
        return [make_interval(float(mean), draws if photos > 1 else draws[:0])
                for mean, draws in zip(means, drawn.T, strict=True)]


def make_interval(value: float, draws: Floats) -> Interval:
    """The percentiles of draws that hold the middle 95 %; draws that are nan are left out.

    Where all draws are alike, as for two expressions that are both right, there is no interval rather than one without width.
    """
    draws = draws[~np.isnan(draws)]
    if not len(draws) or np.ptp(draws) <= SAME:
        return Interval(value, float('nan'), float('nan'))
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, float(low), float(high))


def permutation_p(differences: Floats, images: NDArray[np.int64], draws: int = 10000, seed: int = 0) -> list[float]:
    """Probability of so large a mean difference, of either sign, if the two systems were alike.

    The differences of all expressions of a photo change their sign together, at random; the observed signs count as one of
    the draws, so that p is never 0.

    Args:
        differences: (n, k), one system minus the other.
        images: (n,) number of each expression's photo, from 0.
        draws: how many.
        seed: of the random signs.

    Returns:
        k probabilities, at least 1 / (draws + 1).
    """
    count = int(images.max()) + 1
    sums = np.stack([np.bincount(images, weights=column, minlength=count) for column in differences.T], axis=1)
    sums = sums[np.abs(sums).max(axis=1) > 0]
    observed = np.abs(sums.sum(axis=0))
    rng = np.random.default_rng(seed)
    extreme = np.ones(differences.shape[1])
    for start in range(0, draws, CHUNK):
        signs = rng.integers(0, 2, (min(CHUNK, draws - start), len(sums)), dtype=np.int8).astype(np.float64) * 2 - 1
        # Sums of hundreds of fractions that are equal on paper differ in the last digits.
        extreme += (np.abs(signs @ sums) >= observed - 1e-9).sum(axis=0)
    return [float(p) for p in extreme / (draws + 1)]
