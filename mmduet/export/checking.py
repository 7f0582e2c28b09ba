"""Whether an exported model answers as the model does: drawn images and expressions, and the difference of the answers."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmduet.apis.results import GroundingResult, GroundingResults
from mmduet.datasets.annotation_file import AnnotationStore
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.io.errors import DataError
from mmduet.io.images import ImageArray
from mmduet.refshapes import make_example

# Of the width or height of the image.
MOST_DIFFERENCE = 1e-4
PER_IMAGE = 4
SIDES, LEAST_SHARE = (16, 800), 0.25


class Pairs(NamedTuple):
    """Images, or their paths, and for each a list of expressions."""

    images: list[Any]
    expressions: list[list[str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the answers of two models differ, over N pairs of image and expression.

    Attributes:
        pairs: N.
        largest, mean: of the coordinates of the boxes, in widths or heights of the image.
        least_iou, mean_iou: of the two boxes of an answer.
        score: the largest difference of scores; None where there are none.
    """

    pairs: int
    largest: float
    mean: float
    least_iou: float
    mean_iou: float
    score: float | None

    @property
    def is_small(self) -> bool:
        """Whether no coordinate and no score differs by more than ``MOST_DIFFERENCE``."""
        return self.largest <= MOST_DIFFERENCE and (self.score is None or self.score <= MOST_DIFFERENCE)

    def __str__(self) -> str:
        score = '' if self.score is None else f', scores by {self.score:.1e} at most'
        return (f'{self.pairs} pairs: boxes differ by {self.largest:.1e} of the image at most, {self.mean:.1e} in the mean; '
                f'IoU of both answers {self.least_iou:.4f} at least, {self.mean_iou:.4f} in the mean{score}')


def draw_pairs(count: int, seed: int = 0, images: Sequence[str] | None = None) -> Pairs:
    """Draw ``count`` pairs: images of RefShapes, 16 to 800 pixels wide, of all proportions, and what can be said of them.

    Args:
        count: at least 1.
        seed: of the drawing.
        images: paths of other images, asked in turn about what the drawn ones would be.
    """
    rng = np.random.default_rng(seed)
    drawn = Pairs([], [])
    while (left := count - sum(map(len, drawn.expressions))) > 0:
        number = len(drawn.images)
        example = make_example(seed, 'val', number, size=int(rng.integers(*SIDES)), expressions=PER_IMAGE)
        drawn.images.append(_cut(rng, example.image) if images is None else images[number % len(images)])
        drawn.expressions.append([expression.text for expression in example.expressions[:left]])
    return drawn


def _cut(rng: np.random.Generator, image: ImageArray) -> ImageArray:
    """A part of the full height or of the full width, so that images are wide and tall."""
    share = rng.uniform(LEAST_SHARE, 1)
    side = max(round(len(image) * share), 1)
    return np.ascontiguousarray(image[:side] if rng.random() < 0.5 else image[:, :side])


def compare(expected: GroundingResults, found: GroundingResults) -> Difference:
    """How two models' answers to the same questions differ.

    Raises:
        ValueError: they are no answers to the same questions.
    """
    if not expected or [_question(one) for one in expected] != [_question(one) for one in found]:
        raise ValueError(f'{len(expected)} and {len(found)} answers are not to the same questions')
    boxes = np.array([[one.box for one in answers] for answers in (expected, found)])
    sides = np.array([one.size * 2 for one in expected])
    apart = np.abs(boxes[0] - boxes[1]) / sides
    ious = iou_of(boxes[0], boxes[1])
    scores = [[one.score for one in answers] for answers in (expected, found)]
    known = [abs(a - b) for a, b in zip(*scores, strict=True) if a is not None and b is not None]
    if len(known) != len(expected) and any(score is not None for row in scores for score in row):
        raise ValueError('one of the models has scores and the other has not')
    return Difference(len(expected), float(apart.max()), float(apart.mean()), float(ious.min()), float(ious.mean()),
                      max(known) if known else None)


def _question(result: GroundingResult) -> tuple[str, str, tuple[int, int]]:
    return result.source, result.expression, result.size


def iou_of(first: Any, second: Any) -> Any:
    """(N,) IoU of (N, 4) xyxy boxes; 1 where both are empty."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    either = sum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)) - both
    return np.where(either == 0, 1.0, both / np.maximum(either, np.finfo(float).tiny))


class Questions(NamedTuple):
    """Pairs of a data set, and the (N, 4) xyxy target of each expression in pixels of its image."""

    pairs: Pairs
    targets: Any


def read_questions(data_root: str | Path, splits: Sequence[str], first: int | None = None) -> Questions:
    """The expressions of splits of a prepared data set that have a target; only so many from its beginning.

    Raises:
        DataError: the data root, a split or an annotation is missing or wrong; says where.
    """
    root = Path(data_root)
    manifest = read_manifest(root)
    store = AnnotationStore(list(split_files(root, splits, '').values()), first)
    found = [annotation for annotation in store if annotation.box is not None]
    if not found:
        raise DataError(f'{root}: {", ".join(splits)}: no expression with a target')
    folder = root / manifest['images']
    pairs = Pairs([str(folder / one.image) for one in found], [[one.expression] for one in found])
    return Questions(pairs, np.array([one.box for one in found]))


def accuracy(results: GroundingResults, targets: Any) -> float:
    """Share of the answers whose IoU with the target is at least 0.5."""
    return float((iou_of(np.array([result.box for result in results]), targets) >= 0.5).mean())
