"""What a prediction found: the target, another annotated object, a part of the target, or nothing."""
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.overlaps import clip_boxes, overlap_pairs

HIT = 0.5
NEAR = 0.1
FOUND, SAME, OTHER = 'the target', 'another object of its category', 'an object of another category'
# Where the category of one of the two is not known.
UNNAMED = 'another annotated object'
LOOSE, ELSEWHERE, NO_BOX = 'the target, but badly', 'nothing annotated', 'no box given'
OUTCOMES = (FOUND, SAME, OTHER, UNNAMED, LOOSE, ELSEWHERE, NO_BOX)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each prediction of a system found.

    Attributes:
        names: n of ``OUTCOMES``.
        distractors: category of the object that was found instead; None where it has none, and for other outcomes.
    """

    names: tuple[str, ...]
    distractors: tuple[str | None, ...]

    def count(self) -> dict[str, int]:
        """How many predictions had each outcome, in the order of ``OUTCOMES``."""
        found = Counter(self.names)
        return {name: found[name] for name in OUTCOMES}

    def mistaken(self, cases: Cases) -> list[tuple[str, str, int]]:
        """Category of the target, category found instead, how often; the most frequent first."""
        pairs = Counter((annotation.category, distractor)
                        for annotation, distractor in zip(cases.annotations, self.distractors, strict=True)
                        if annotation.category is not None and distractor is not None)
        ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
        return [(target, found, count) for (target, found), count in ordered]


def find_outcomes(boxes: NDArray[np.float64], overlaps: NDArray[np.float64], cases: Cases) -> Outcomes:
    """Say what each prediction found.

    An object is found at an IoU of at least 0.5. A miss is first compared with the other annotated objects of the image; one
    that finds none of them and overlaps the target by at least 0.1 found the target badly.

    Args:
        boxes: (n, 4) predicted corners; nan for none.
        overlaps: (n,) IoU with the targets.
        cases: the expressions.
    """
    clipped = clip_boxes(boxes, cases.sizes)
    names: list[str] = []
    distractors: list[str | None] = []
    for index, overlap in enumerate(overlaps):
        distractor = None
        if overlap >= HIT:
            name = FOUND
        elif np.isnan(boxes[index]).any():
            name = NO_BOX
        else:
            found, distractor = _find_distractor(clipped[index], index, cases)
            target = cases.annotations[index].category
            if not found:
                name = LOOSE if overlap >= NEAR else ELSEWHERE
            elif target is None or distractor is None:
                name = UNNAMED
            else:
                name = SAME if distractor == target else OTHER
        names.append(name)
        distractors.append(distractor)
    return Outcomes(tuple(names), tuple(distractors))


def _find_distractor(box: NDArray[np.float64], index: int, cases: Cases) -> tuple[bool, str | None]:
    """Whether another object was found, and its category."""
    others = cases.others(index)
    if not len(others.boxes):
        return False, None
    overlaps = overlap_pairs(box, others.boxes)
    best = int(overlaps.argmax())
    return (True, others.categories[best]) if overlaps[best] >= HIT else (False, None)
