"""Means over seeds, differences paired by seed, and their intervals of confidence by Student's t."""
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: of the values.
        deviation: standard deviation of the values (n - 1); NaN for one value.
        half_width: half of the interval of confidence of the mean; NaN for one value.
        count: of values.
    """

    mean: float
    deviation: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean, deviation and interval of values that are independent and about normal.

    Raises:
        ValueError: no value, or one that is not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f'an estimate needs finite values, got {list(values)}')
    mean = float(np.mean(values))
    if len(values) == 1:
        return Estimate(mean, math.nan, math.nan, 1)
    half_width = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return Estimate(mean, float(np.std(values, ddof=1)), float(half_width), len(values))
