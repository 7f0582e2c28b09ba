"""What a prediction found: the target, another annotated object, a part of the target, or nothing."""
from collections import Counter
from typing import NamedTuple

import numpy as np

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.overlaps import Floats, overlap_pairs

HIT = 0.5
NEAR = 0.1
FOUND, SAME, OTHER = 'the target', 'another object of its category', 'an object of another category'
# Where the category of one of the two is not known.
UNNAMED = 'another annotated object'
LOOSE, ELSEWHERE, NO_BOX = 'the target, but badly', 'nothing annotated', 'no box given'
OUTCOMES = (FOUND, SAME, OTHER, UNNAMED, LOOSE, ELSEWHERE, NO_BOX)


class Outcomes(NamedTuple):
    """What each prediction of a system found, one of ``OUTCOMES``, and the category, if any, of what was found instead."""

    names: tuple[str, ...]
    distractors: tuple[str | None, ...]

    def mistaken(self, cases: Cases) -> list[tuple[str, str, int]]:
        """Category of the target, category found instead, how often; the most frequent first."""
        pairs = Counter((annotation.category, distractor)
                        for annotation, distractor in zip(cases.annotations, self.distractors, strict=True)
                        if annotation.category is not None and distractor is not None)
        return [(*pair, count) for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))]


def find_outcomes(boxes: Floats, overlaps: Floats, cases: Cases) -> Outcomes:
    """What (n, 4) predicted corners, cut to their images and nan for none, found; (n,) ``overlaps`` are those with the targets.

    An object is found at an IoU of at least 0.5. A miss is first compared with the other annotated objects of the image; one
    that finds none of them and overlaps the target by at least 0.1 found the target badly.
    """
    found = [_find_outcome(boxes[index], overlap, cases, index) for index, overlap in enumerate(overlaps)]
    return Outcomes(tuple(name for name, _ in found), tuple(distractor for _, distractor in found))


def _find_outcome(box: Floats, overlap: float, cases: Cases, index: int) -> tuple[str, str | None]:
    if overlap >= HIT:
        return FOUND, None
    if np.isnan(box).any():
        return NO_BOX, None
    others, target = cases.others(index), cases.annotations[index].category
    overlaps = overlap_pairs(box, others.boxes)
    if overlaps.max(initial=0.0) < HIT:
        return LOOSE if overlap >= NEAR else ELSEWHERE, None
    distractor = others.categories[int(overlaps.argmax())]
    if target is None or distractor is None:
        return UNNAMED, distractor
    return SAME if distractor == target else OTHER, distractor
