"""Means over seeds, differences paired by seed, and their intervals of confidence by Student's t."""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

CONFIDENCE = 0.95
# The continued fraction of the incomplete beta function gains several digits per term.
_TERMS, _PRECISION, _TINY = 500, 1e-15, 1e-300


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
    if len(values) == 1:
        return Estimate(values[0], math.nan, math.nan, 1)
    deviation = stdev(values)
    factor = t_quantile((1 + confidence) / 2, len(values) - 1)
    return Estimate(mean(values), deviation, factor * deviation / math.sqrt(len(values)), len(values))


def t_quantile(probability: float, freedom: float) -> float:
    """The value that Student's t with so many degrees of freedom stays below with this probability.

    Raises:
        ValueError: a probability outside (0, 1), or no degree of freedom.
    """
    if not 0 < probability < 1 or not freedom > 0:
        raise ValueError(f'0 < probability < 1 and freedom > 0 must hold, got {probability} and {freedom}')
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    low, high = 0.0, 1.0
    while t_distribution(high, freedom) < probability:
        low, high = high, 2 * high
    # Halving ends where no number lies between the two.
    while low < (middle := (low + high) / 2) < high:
        if t_distribution(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return high


def t_distribution(value: float, freedom: float) -> float:
    """Probability that Student's t with so many degrees of freedom stays below ``value``."""
    tail = incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value * value)) / 2
    return 1 - tail if value > 0 else tail


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8).

    Args:
        a, b: > 0.
        x: in [0, 1].
    """
    if x in (0, 1):
        return float(x)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    return front / _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)), by Lentz's method."""
    fraction, upper, lower = 1.0, 1.0, 0.0
    for term in range(1, _TERMS):
        half = term // 2
        if term % 2:
            step = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            step = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1 / ((1 + step * lower) or _TINY)
        upper = (1 + step / upper) or _TINY
        fraction *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            break
    return fraction
