"""What a score is worth: how well it tells hits from misses, and whether it is the probability that it claims to be."""
import numpy as np
from numpy.typing import NDArray

from mmduet.io.errors import DataError

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
COVERAGES = (50, 80)
BINS = 10
# Of the true expressions, what a threshold for refusing keeps, in percent.
KEPT = 95


def rate_scores(scores: Floats, hits: Hits) -> dict[str, float]:
    """Figures of (n,) scores in [0, 1] of answers that are (n,) hits or misses, in percent.

    ``auroc``: how often a hit has a higher score than a miss, ties counted half; left out where there are only hits or only
    misses. ``surest50``, ``surest80``: hits among so many percent of the answers, those of the highest scores. ``ece``: the
    expected calibration error.

    >>> import numpy as np
    >>> from mmduet.evaluation.scores import rate_scores
    >>> rate_scores(np.array([0.9, 0.6, 0.2, 0.1]), np.array([True, False, True, False]))['auroc']
    75.0
    """
    figures = {}
    if hits.any() and not hits.all():
        from scipy.stats import mannwhitneyu  # SciPy takes a second to import, and a training needs none of it
        wins = mannwhitneyu(scores[hits], scores[~hits], method='asymptotic').statistic
        figures['auroc'] = 100 * float(wins) / (hits.sum() * (~hits).sum())
    return {name: float(value) for name, value in figures.items()} | {
        f'surest{share}': 100 * accuracy_of_surest(scores, hits, share / 100) for share in COVERAGES} | {
        'ece': 100 * calibration_error(scores, hits)}


def accuracy_of_surest(scores: Floats, hits: Hits, share: float) -> float:
    """Share of hits among the surest ``share`` of the answers, at least one; of equal scores at the limit the mean counts."""
    count = max(1, round(share * len(scores)))
    limit = np.sort(scores)[-count]
    above, level = scores > limit, scores == limit
    return float((hits[above].sum() + (count - above.sum()) * hits[level].mean()) / count)


def calibration_error(scores: Floats, hits: Hits) -> float:
    """Mean distance of score and share of hits, over ten bins of equal width (expected calibration error, Guo et al. 2017)."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, scores - hits, BINS)).sum() / len(scores))


def refusal_threshold(scores: Floats) -> float:
    """The 5 % quantile of the (n,) scores of true expressions, the lower of two: at most 5 % of them lie below it."""
    return float(np.quantile(scores, 1 - KEPT / 100, method='lower'))


def fit_calibration(readings: Floats, hits: Hits) -> tuple[Floats, float]:
    """Scale (k,) and bias of the logistic regression of (n,) hits on (n, k) readings, with Platt's targets.

    Raises:
        DataError: all answers are hits, or all misses, so that nothing can be told from them.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, log_expit
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        raise DataError(f'a calibration needs hits and misses, got {positives} and {negatives}')
    targets = np.where(hits, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    mean, spread = readings.mean(axis=0), readings.std(axis=0) + 1e-12
    inputs = np.column_stack([(readings - mean) / spread, np.ones(len(readings))])

    def cost(weights: Floats) -> tuple[float, Floats]:
        logits = inputs @ weights
        value = -np.mean(targets * log_expit(logits) + (1 - targets) * log_expit(-logits))
        return float(value), inputs.T @ (expit(logits) - targets) / len(inputs)

    weights = minimize(cost, np.zeros(inputs.shape[1]), jac=True).x
    scale: Floats = weights[:-1] / spread
    return scale, float(weights[-1] - scale @ mean)
