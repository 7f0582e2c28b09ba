"""Cases to look at: which ones, and their photos as small JPEGs inside the page."""
import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmduet.datasets.errors import ImageError
from mmduet.datasets.image_io import read_photo
from mmduet.evaluation.report.outcomes import FOUND, NO_BOX, SAME
from mmduet.evaluation.report.overlaps import clip_boxes
from mmduet.evaluation.report.summary import Summary, System

# Longer side of an embedded photo, pixels; a smaller one is kept as it is.
SIDE = 360
QUALITY = 72
# A photo so small is shown in blocks, and not smeared by its compression.
SMALL, SMALL_QUALITY = 160, 92
MARGIN = 0.015


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


def choose_groups(summary: Summary, count: int, seed: int = 0) -> list[Group]:
    """Up to ``count`` worst and random cases and, for each comparison, as many that became right and that became wrong.

    No photo comes twice in a group, so that one hard photo does not fill it.
    """
    cases, systems = summary.cases, summary.systems
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(cases))
    mean = np.mean([system.overlaps for system in systems], axis=0)
    scores = np.nan_to_num(np.mean([system.predictions.scores for system in systems], axis=0))
    worst = shuffled[np.lexsort((-scores[shuffled], mean[shuffled]))]
    of_all = '' if len(systems) == 1 else ', on average over the systems'

    def pick(order: Iterable[int]) -> tuple[int, ...]:
        return _one_per_photo(order, cases.images, count)

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


def _one_per_photo(order: Iterable[int], images: NDArray[np.int64], count: int) -> tuple[int, ...]:
    chosen: dict[int, int] = {}
    for index in order:
        if len(chosen) == count:
            break
        chosen.setdefault(int(images[index]), int(index))
    return tuple(chosen.values())


class Album:
    """Photos as data URIs, each read once.

    Args:
        folder: of the photos; None where there is none, then boxes are drawn on an empty frame.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: dict[str, str] = {}
        self._made: dict[str, str | None] = {}

    def find(self, name: str) -> str | None:
        """The photo of this name; None, and a sentence in ``problems``, where it cannot be read."""
        if self.folder is None:
            return None
        if name not in self._made:
            try:
                self._made[name] = encode_photo(read_photo(self.folder / name))
            except ImageError as error:
                self.problems[name] = str(error)
                self._made[name] = None
        return self._made[name]


def encode_photo(pixels: NDArray[np.uint8]) -> str:
    """(h, w, 3) RGB as a JPEG of at most 360 pixels on its longer side, in a data URI."""
    photo = Image.fromarray(pixels)
    small = max(photo.size) <= SMALL
    photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    photo.save(buffer, 'JPEG', quality=SMALL_QUALITY if small else QUALITY, optimize=True, subsampling=0 if small else 2)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def draw_card(index: int, summary: Summary, album: Album) -> str:
    """One case: photo, target, predictions, expression, and what each system found."""
    annotation = summary.cases.annotations[index]
    lines = [_caption(number, system, index, len(summary.systems) > 1) for number, system in enumerate(summary.systems)]
    identity = f'{annotation.split} {annotation.expression_id}'
    image = escape(annotation.image).replace('_', '_<wbr>')
    return (f'<figure class="card">{_picture(index, summary, album)}<figcaption>'
            f'<p class="words">{escape(annotation.expression)}</p>{"".join(lines)}'
            f'<p class="id">{escape(identity)}<span class="wide"> · {image}</span></p></figcaption></figure>')


def _caption(number: int, system: System, index: int, named: bool) -> str:
    outcome, distractor = system.outcomes.names[index], system.outcomes.distractors[index]
    shown = {FOUND: '', NO_BOX: f', {NO_BOX}'}.get(outcome, f', on {outcome}')
    if distractor is not None and outcome != SAME:
        shown += f' ({distractor})'
    name = f'{escape(system.name)}: ' if named else ''
    return (f'<p class="found"><span class="key s{number % 6}"></span>{name}IoU {system.overlaps[index]:.2f}'
            f'{escape(shown)}</p>')


def _picture(index: int, summary: Summary, album: Album) -> str:
    annotation = summary.cases.annotations[index]
    width, height = annotation.width, annotation.height
    margin = MARGIN * max(width, height)
    photo = album.find(annotation.image)
    blocks = ' class="blocks"' if max(width, height) <= SMALL else ''
    inside = f'<rect class="blank" width="{width}" height="{height}"/>' if photo is None else \
        f'<image{blocks} href="{photo}" width="{width}" height="{height}" preserveAspectRatio="none"/>'
    boxes = [_box(box, 'target') for box in summary.cases.right_boxes(index).tolist()]
    for number, system in enumerate(summary.systems):
        box = clip_boxes(system.predictions.boxes[index:index + 1], summary.cases.sizes[index:index + 1])[0]
        if not np.isnan(box).any():
            boxes.append(_box(box.tolist(), f's{number % 6}'))
    view = f'{-margin:.2f} {-margin:.2f} {width + 2 * margin:.2f} {height + 2 * margin:.2f}'
    label = f'{annotation.image}: target and predictions' + ('' if photo is not None else ', without the photo')
    return f'<svg viewBox="{view}" role="img" aria-label="{escape(label)}">{inside}{"".join(boxes)}</svg>'


def _box(box: Sequence[float], name: str) -> str:
    x1, y1, x2, y2 = box
    frame = f'x="{x1:.2f}" y="{y1:.2f}" width="{max(x2 - x1, 0):.2f}" height="{max(y2 - y1, 0):.2f}"'
    # A light rim keeps the box visible on a photo of its own colour.
    return f'<rect class="rim" {frame}/><rect class="box {name}" {frame}/>'
