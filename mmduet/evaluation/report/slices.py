"""Parts of a data set that may be easy or hard for other reasons than the rest."""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.words import NONE, WORDS, kinds_of_words

Mask = NDArray[np.bool_]
# Upper ends, in words; the last bin is open.
LENGTHS = (5, 7, 10)
# Upper ends, in percent of the image's area; the last bin is open.
AREAS = (2, 5, 10, 25)
ALIKE = 4
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the expressions.

    Attributes:
        group: what the slices of a group differ in, as a heading.
        name: which of them.
        phrase: the same in a sentence.
        mask: (n,) the expressions.
    """

    group: str
    name: str
    phrase: str
    mask: Mask


def make_slices(cases: Cases) -> list[Slice]:
    """All slices that hold an expression; groups of one slice, which is everything, are left out."""
    splits = [annotation.split for annotation in cases.annotations]
    groups = [_by_label('split', 'split', splits), _by_kind(cases), _by_length(cases),
              _by_words(cases), _by_area(cases), _by_alike(cases)]
    kept = [[part for part in group if part.mask.any()] for group in groups]
    return [part for group in kept if len(group) > 1 for part in group]


def _by_label(group: str, phrase: str, labels: Sequence[str | None]) -> list[Slice]:
    array = np.array([label if label is not None else 'not said' for label in labels], dtype=object)
    return [Slice(group, _shorten(label), f'{phrase} {_shorten(label)}', array == label) for label in sorted(set(array))]


def _shorten(label: str) -> str:
    return label if len(label) <= LONGEST else label[:LONGEST] + '...'


def _by_kind(cases: Cases) -> list[Slice]:
    kinds = [annotation.kind for annotation in cases.annotations]
    if all(kind is None for kind in kinds):
        return []
    return _by_label('kind of expression, as annotated', 'expressions of kind', kinds)


def _by_length(cases: Cases) -> list[Slice]:
    lengths = np.array([len(annotation.expression.split()) for annotation in cases.annotations])
    bins, low = [], 1
    for end in LENGTHS:
        bins.append((f'{low} to {end} words', (lengths >= low) & (lengths <= end)))
        low = end + 1
    bins.append((f'{low} or more words', lengths >= low))
    return [Slice('length of the expression', name, f'expressions of {name}', mask) for name, mask in bins]


def _by_words(cases: Cases) -> list[Slice]:
    kinds = [kinds_of_words(annotation.expression) for annotation in cases.annotations]
    masks = {f'{kind} words': np.array([kind in present for present in kinds]) for kind in WORDS}
    found = [Slice('words in the expression', name, f'expressions with {name}', mask) for name, mask in masks.items()]
    none = f'expressions without {", ".join(WORDS)} words'
    return [*found, Slice('words in the expression', NONE, none, np.array([not present for present in kinds]))]


def _by_area(cases: Cases) -> list[Slice]:
    sides = cases.targets[:, 2:] - cases.targets[:, :2]
    percent = 100 * sides.prod(axis=1) / cases.sizes.prod(axis=1)
    bins, low = [(f'under {AREAS[0]} %', percent < AREAS[0])], AREAS[0]
    for end in AREAS[1:]:
        bins.append((f'{low} to {end} %', (percent >= low) & (percent < end)))
        low = end
    bins.append((f'{low} % or more', percent >= low))
    return [Slice('size of the target, % of the image', name, f'targets of {name} of the image', mask) for name, mask in bins]


def _by_alike(cases: Cases) -> list[Slice]:
    """By the number of annotated objects of the target's category, itself among them; nothing where categories are unknown."""
    counts = np.zeros(len(cases), dtype=np.int64)
    for index, annotation in enumerate(cases.annotations):
        if annotation.category is not None:
            counts[index] = 1 + cases.others(index).categories.count(annotation.category)
    group = "annotated objects of the target's category"
    bins = [('only the target' if number == 1 else f'{number} objects', counts == number) for number in range(1, ALIKE)]
    bins.append((f'{ALIKE} or more objects', counts >= ALIKE))
    return [Slice(group, name, f"images with {name} of the target's category", mask) for name, mask in bins]
