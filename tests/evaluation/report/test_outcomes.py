import numpy as np
import pytest

from mmduet.evaluation.report.outcomes import (
    ELSEWHERE,
    FOUND,
    LOOSE,
    NO_BOX,
    OTHER,
    SAME,
    UNNAMED,
    find_outcomes,
)
from mmduet.evaluation.report.overlaps import clip_boxes, overlap_pairs
from tests.report_data import make_cases


def outcomes(cases, first, last=(10, 10, 20, 20)):
    boxes = np.array([first, [20, 0, 30, 10], [0, 0, 20, 20], last], dtype=float)
    clipped = clip_boxes(boxes, cases.sizes)
    return find_outcomes(clipped, overlap_pairs(clipped, cases.targets), cases)


@pytest.mark.parametrize(('box', 'name', 'distractor'), [
    ([0, 0, 10, 5], FOUND, None), ([20, 0, 30, 10], SAME, 'cup'), ([0, 20, 10, 29], OTHER, 'dog'),
    ([5, 0, 15, 10], LOOSE, None), ([12, 12, 18, 18], ELSEWHERE, None), ([np.nan] * 4, NO_BOX, None),
    # The image ends at y = 30.
    ([0, 20, 10, 90], OTHER, 'dog')])
def test_a_prediction_found_the_target_or_something_else(tmp_path, box, name, distractor):
    found = outcomes(make_cases(tmp_path), box)
    assert (found.names[0], found.distractors[0]) == (name, distractor)
    assert found.names[1:] == (FOUND, FOUND, FOUND)


def test_mistaken_categories_are_counted_the_most_frequent_first(tmp_path):
    cases = make_cases(tmp_path)
    found = outcomes(cases, [0, 20, 10, 30], [20, 10, 30, 20])
    assert found.mistaken(cases) == [('cat', 'cat', 1), ('cup', 'dog', 1)]


def test_an_object_is_of_no_other_category_where_the_targets_is_unknown(tmp_path):
    cases = make_cases(tmp_path, category=None)
    found = outcomes(cases, [0, 0, 10, 10], [20, 10, 30, 20])
    assert found.names[3] == UNNAMED
    assert found.mistaken(cases) == []
