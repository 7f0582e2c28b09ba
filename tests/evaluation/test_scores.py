import numpy as np
import pytest

from mmduet.evaluation.scores import (
    accuracy_of_surest,
    calibration_error,
    fit_calibration,
    rate_scores,
    refusal_threshold,
)


def arrays(scores, hits):
    return np.array(scores, dtype=float), np.array(hits, dtype=bool)


@pytest.mark.parametrize(('scores', 'hits', 'auroc'), [
    ([0.9, 0.6, 0.2, 0.1], [1, 0, 1, 0], 75.0),  # of four pairs of a hit and a miss three are in order
    ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 100.0),
    ([0.1, 0.9], [1, 0], 0.0),
    ([0.5, 0.5, 0.5], [1, 0, 0], 50.0),
    ([0.7, 0.5, 0.5, 0.1], [1, 1, 0, 0], 87.5),  # one of four pairs is a tie
])
def test_auroc_counts_pairs_of_a_hit_and_a_miss(scores, hits, auroc):
    assert rate_scores(*arrays(scores, hits))['auroc'] == pytest.approx(auroc)


@pytest.mark.parametrize('hits', [[1, 1, 1], [0, 0, 0], [1]])
def test_without_hits_or_misses_there_is_no_auroc(hits):
    figures = rate_scores(*arrays([0.5, 0.4, 0.3][:len(hits)], hits))
    assert list(figures) == ['surest50', 'surest80', 'ece']
    assert figures['surest50'] == figures['surest80'] == 100 * hits[0]


def test_the_surest_answers_are_those_of_the_highest_scores():
    scores, hits = arrays([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], [1, 1, 1, 0, 1, 1, 1, 0, 0, 0])
    assert accuracy_of_surest(scores, hits, 0.5) == pytest.approx(0.8)
    assert accuracy_of_surest(scores, hits, 0.8) == pytest.approx(0.75)
    assert accuracy_of_surest(scores, hits, 1.0) == pytest.approx(0.6)


def test_of_equal_scores_at_the_limit_the_mean_counts_whatever_their_order():
    for hits in ([1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]):
        # One answer is surer than the rest; of the other three, one is right, so the second place is a third of a hit.
        assert accuracy_of_surest(*arrays([0.9, 0.5, 0.5, 0.5], hits), 0.5) == pytest.approx((1 + 1 / 3) / 2)


def test_the_calibration_error_is_the_mean_distance_of_score_and_accuracy_over_bins():
    # Bin 0.9 to 1: three answers, mean score 0.95, two right. Bin 0.1 to 0.2: one answer of 0.15, right. 1 is in the last bin.
    scores, hits = arrays([0.95, 0.9, 1.0, 0.15], [1, 1, 0, 1])
    assert calibration_error(scores, hits) == pytest.approx((3 * (0.95 - 2 / 3) + 0.85) / 4)
    assert calibration_error(*arrays([0.25] * 4, [1, 0, 0, 0])) == 0


def test_the_threshold_keeps_95_of_a_hundred():
    scores = np.arange(100) / 100
    assert (scores >= refusal_threshold(scores)).sum() in (95, 96)
    assert refusal_threshold(np.array([0.3])) == 0.3


def test_a_calibration_finds_the_logistic_that_made_the_hits():
    rng = np.random.default_rng(0)
    readings = rng.normal(size=(40000, 2)) * [1, 10] + [5, 0]
    hits = rng.random(40000) < 1 / (1 + np.exp(-(2 * readings[:, 0] - 0.1 * readings[:, 1] - 9)))
    scale, bias = fit_calibration(readings, hits)
    assert [*scale, bias] == pytest.approx([2, -0.1, -9], rel=0.05)


def test_what_separates_hits_from_misses_keeps_a_finite_scale():
    scale, bias = fit_calibration(np.array([[0.0], [1.0]]), np.array([False, True]))
    # Platt's targets of one hit and one miss are 2/3 and 1/3.
    assert 1 / (1 + np.exp(-(scale[0] + bias))) == pytest.approx(2 / 3, abs=1e-3)


def test_hits_alone_calibrate_nothing():
    with pytest.raises(ValueError, match='needs hits and misses, got 2 and 0'):
        fit_calibration(np.zeros((2, 1)), np.array([True, True]))
