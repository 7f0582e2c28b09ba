"""Cases of the page: which ones, and their images as small JPEGs inside it."""
import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmduet.evaluation.report.outcomes import FOUND, NO_BOX, SAME
from mmduet.evaluation.report.overlaps import clip_boxes
from mmduet.evaluation.report.summary import Summary
from mmduet.io.errors import ImageError
from mmduet.io.images import ImageArray, read_image
from mmduet.io.text import counted

# Longer side of an embedded image, pixels; a smaller one is kept as it is.
SIDE, QUALITY = 360, 72
# An image so small is shown in blocks, and not smeared by its compression.
SMALL, SMALL_QUALITY = 160, 92


class Group(NamedTuple):
    """Some cases under one heading: the heading, a sentence on how they were chosen, and the numbers of their expressions."""

    title: str
    about: str
    cases: tuple[int, ...]


def choose_groups(summary: Summary, count: int, seed: int = 0) -> list[Group]:
    """Up to ``count`` worst and random cases and, for each comparison, as many that became right and that became wrong.

    No image comes twice in a group, so that one hard image does not fill it.
    """
    cases, systems = summary.cases, summary.systems
    shuffled = np.random.default_rng(seed).permutation(len(cases))
    mean = np.mean([system.overlaps for system in systems], axis=0)
    scores = np.nan_to_num(np.mean([system.predictions.scores for system in systems], axis=0))
    worst = shuffled[np.lexsort((-scores[shuffled], mean[shuffled]))]
    of_all = '' if len(systems) == 1 else ', on average over the systems'

    def pick(order: Iterable[int]) -> tuple[int, ...]:
        chosen: dict[int, int] = {}
        for index in order:
            chosen.setdefault(int(cases.images[index]), int(index))
        return tuple(chosen.values())[:count]

    groups = [Group('Worst', f'The smallest overlaps{of_all}; among equal ones the surest, then at random.', pick(worst)),
              Group('Random', 'Drawn from all expressions, as good or bad as they are.', pick(shuffled))]
    for second in systems[1:]:
        for right, wrong in ((second, systems[0]), (systems[0], second)):
            flipped = right.hits & ~wrong.hits
            expressions = counted(int(flipped.sum()), 'expression')
            groups.append(Group(f'Right only by {right.name}', f'{expressions}; {right.name} finds the target and '
                                f'{wrong.name} does not. Drawn at random.', pick(shuffled[flipped[shuffled]])))
    return [group for group in groups if group.cases]


class Album:
    """Images of a folder as data URIs, each read once; without a folder boxes are drawn on an empty frame."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: dict[str, str] = {}
        self._made: dict[str, str] = {}

    def find(self, name: str) -> str | None:
        """The image of this name; None, and a sentence in ``problems``, where it cannot be read."""
        if name not in self._made and (pixels := self.read(name)) is not None:
            self._made[name] = encode_image(pixels)
        return self._made.get(name)

    def read(self, name: str) -> ImageArray | None:
        """(h, w, 3) RGB of the image of this name; None, and a sentence in ``problems``, where it cannot be read."""
        if self.folder is None or name in self.problems:
            return None
        try:
            return read_image(self.folder / name)
        except ImageError as error:
            self.problems[name] = str(error)
            return None


def encode_image(pixels: ImageArray, side: int = SIDE, large_quality: int = QUALITY) -> str:
    """(h, w, 3) RGB as a JPEG of at most ``side`` pixels on its longer side, in a data URI; a small one keeps its pixels."""
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    quality, subsampling = (SMALL_QUALITY, 0) if max(image.size) <= SMALL else (large_quality, 2)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.save(buffer, 'JPEG', optimize=True, quality=quality, subsampling=subsampling)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def describe_case(index: int, summary: Summary, album: Album) -> dict[str, Any]:
    """What the page shows of one case: its annotation, the image as a data URI, the boxes any of which is right, and the answer
    of each system: its box, cut to the image, how well it fits and what it lies on. None stands for no image and no box.
    """
    cases, answers = summary.cases, []
    for number, system in enumerate(summary.systems):
        outcome, distractor = system.outcomes.names[index], system.outcomes.distractors[index]
        found = {FOUND: '', NO_BOX: f', {NO_BOX}'}.get(outcome, f', on {outcome}')
        if distractor is not None and outcome != SAME:
            found += f' ({distractor})'
        box = clip_boxes(system.predictions.boxes[index], cases.sizes[index]).tolist()
        answers.append({'number': number, 'name': system.name, 'text': f'IoU {system.overlaps[index]:.2f}{found}',
                        'box': None if outcome == NO_BOX else box})
    annotation = cases.annotations[index]
    return {'annotation': annotation, 'uri': album.find(annotation.image), 'targets': cases.right_boxes(index).tolist(),
            'answers': answers}
