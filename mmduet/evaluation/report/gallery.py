"""Cases to look at: which ones, and their images as small JPEGs inside the page."""
import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmduet.datasets.errors import ImageError
from mmduet.datasets.image_io import read_image
from mmduet.evaluation.report.outcomes import FOUND, NO_BOX, SAME
from mmduet.evaluation.report.overlaps import clip_boxes
from mmduet.evaluation.report.summary import Summary, System

# Longer side of an embedded image, pixels; a smaller one is kept as it is.
SIDE = 360
QUALITY = 72
# An image so small is shown in blocks, and not smeared by its compression.
SMALL, SMALL_QUALITY = 160, 92


@dataclass(frozen=True, slots=True)
class Group:
    """Some cases under one heading.

    Attributes:
        title: the heading.
        about: a sentence on how they were chosen.
        cases: numbers of their expressions.
    """

    title: str
    about: str
    cases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system said of a case.

    Attributes:
        index: place of the system.
        name: of the system.
        text: how well its box fits, and what it lies on.
        box: corners in pixels, cut to the image; None where it gave none.
    """

    index: int
    name: str
    text: str
    box: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A case as the page shows it.

    Attributes:
        image, width, height: name and size of the image, pixels.
        uri: the image itself; None where it cannot be shown.
        expression, identity: the words, and the split and id that they have.
        targets: corners of the boxes any of which is right, pixels.
        answers: of the systems.
    """

    image: str
    uri: str | None
    width: int
    height: int
    expression: str
    identity: str
    targets: tuple[tuple[float, ...], ...]
    answers: tuple[Answer, ...]

    @property
    def is_tiny(self) -> bool:
        """Whether the image is so small that it is shown in blocks."""
        return max(self.width, self.height) <= SMALL


def choose_groups(summary: Summary, count: int, seed: int = 0) -> list[Group]:
    """Up to ``count`` worst and random cases and, for each comparison, as many that became right and that became wrong.

    No image comes twice in a group, so that one hard image does not fill it.
    """
    cases, systems = summary.cases, summary.systems
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(cases))
    mean = np.mean([system.overlaps for system in systems], axis=0)
    scores = np.nan_to_num(np.mean([system.predictions.scores for system in systems], axis=0))
    worst = shuffled[np.lexsort((-scores[shuffled], mean[shuffled]))]
    of_all = '' if len(systems) == 1 else ', on average over the systems'

    def pick(order: Iterable[int]) -> tuple[int, ...]:
        return _one_per_image(order, cases.images, count)

    groups = [Group('Worst', f'The smallest overlaps{of_all}; among equal ones the surest, then at random.', pick(worst)),
              Group('Random', 'Drawn from all expressions, as good or bad as they are.', pick(shuffled))]
    first = systems[0]
    for second in systems[1:]:
        gained, lost = second.hits & ~first.hits, first.hits & ~second.hits
        for title, flipped, right, wrong in ((f'Right only by {second.name}', gained, second, first),
                                             (f'Right only by {first.name}', lost, first, second)):
            groups.append(Group(title, f'{int(flipped.sum()):,} expressions; {right.name} finds the target and {wrong.name} '
                                'does not. Drawn at random.', pick(shuffled[flipped[shuffled]])))
    return [group for group in groups if group.cases]


def _one_per_image(order: Iterable[int], images: NDArray[np.int64], count: int) -> tuple[int, ...]:
    chosen: dict[int, int] = {}
    for index in order:
        if len(chosen) == count:
            break
        chosen.setdefault(int(images[index]), int(index))
    return tuple(chosen.values())


class Album:
    """Photos as data URIs, each read once.

    Args:
        folder: of the images; None where there is none, then boxes are drawn on an empty frame.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: dict[str, str] = {}
        self._made: dict[str, str | None] = {}

    def find(self, name: str) -> str | None:
        """The image of this name; None, and a sentence in ``problems``, where it cannot be read."""
        if self.folder is None:
            return None
        if name not in self._made:
            try:
                self._made[name] = encode_image(read_image(self.folder / name))
            except ImageError as error:
                self.problems[name] = str(error)
                self._made[name] = None
        return self._made[name]


def encode_image(pixels: NDArray[np.uint8]) -> str:
    """(h, w, 3) RGB as a JPEG of at most 360 pixels on its longer side, in a data URI."""
    picture = Image.fromarray(pixels)
    small = max(picture.size) <= SMALL
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=SMALL_QUALITY if small else QUALITY, optimize=True, subsampling=0 if small else 2)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def describe_case(index: int, summary: Summary, album: Album) -> Card:
    """What is shown of one case: image, target, predictions, expression, and what each system found."""
    annotation = summary.cases.annotations[index]
    return Card(image=annotation.image, uri=album.find(annotation.image), width=annotation.width, height=annotation.height,
                expression=annotation.expression, identity=f'{annotation.split} {annotation.expression_id}',
                targets=tuple(map(tuple, summary.cases.right_boxes(index).tolist())),
                answers=tuple(_describe_answer(number, system, index, summary)
                              for number, system in enumerate(summary.systems)))


def _describe_answer(number: int, system: System, index: int, summary: Summary) -> Answer:
    outcome, distractor = system.outcomes.names[index], system.outcomes.distractors[index]
    shown = {FOUND: '', NO_BOX: f', {NO_BOX}'}.get(outcome, f', on {outcome}')
    if distractor is not None and outcome != SAME:
        shown += f' ({distractor})'
    box = clip_boxes(system.predictions.boxes[index:index + 1], summary.cases.sizes[index:index + 1])[0]
    return Answer(number, system.name, f'IoU {system.overlaps[index]:.2f}{shown}',
                  None if np.isnan(box).any() else tuple(box.tolist()))
