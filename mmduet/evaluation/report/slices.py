"""Parts of a data set that may be easy or hard for other reasons than the rest."""
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.words import NONE, WORDS, kinds_of_words

# Upper ends of all bins but the last, in words, and in percent of the image's area.
LENGTHS, LENGTH_NAMES = (5, 7, 10), ('1 to 5 words', '6 to 7 words', '8 to 10 words', '11 or more words')
AREAS, AREA_NAMES = (2, 5, 10, 25), ('under 2 %', '2 to 5 %', '5 to 10 %', '10 to 25 %', '25 % or more')
ALIKE_NAMES = ('only the target', '2 objects', '3 objects', '4 or more objects')
LONGEST = 60


class Slice(NamedTuple):
    """Some of the expressions, an (n,) mask; ``group`` is what the slices of one differ in, ``phrase`` is for a sentence."""

    group: str
    name: str
    phrase: str
    mask: NDArray[np.bool_]


def make_slices(cases: Cases) -> list[Slice]:
    """All slices that hold an expression; groups of one slice, which is everything, are left out."""
    kinds = [annotation.kind for annotation in cases.annotations]
    lengths = [len(annotation.expression.split()) for annotation in cases.annotations]
    percent = 100 * (cases.targets[:, 2:] - cases.targets[:, :2]).prod(axis=1) / cases.sizes.prod(axis=1)
    groups = [_by_label('split', 'split', [annotation.split for annotation in cases.annotations]),
              _by_label('kind of expression, as annotated', 'expressions of kind', kinds) if any(kinds) else [],
              _by_bin('length of the expression', 'expressions of {}', LENGTH_NAMES, np.digitize(lengths, LENGTHS, right=True)),
              _by_words(cases),
              _by_bin('size of the target, % of the image', 'targets of {} of the image', AREA_NAMES,
                      np.digitize(percent, AREAS)),
              _by_alike(cases)]
    kept = [[part for part in group if part.mask.any()] for group in groups]
    return [part for group in kept if len(group) > 1 for part in group]


def _by_label(group: str, phrase: str, labels: Sequence[str | None]) -> list[Slice]:
    array = np.array([label if label is not None else 'not said' for label in labels], dtype=object)
    names = {label: label if len(label) <= LONGEST else label[:LONGEST] + '...' for label in sorted(set(array))}
    return [Slice(group, name, f'{phrase} {name}', array == label) for label, name in names.items()]


def _by_bin(group: str, phrase: str, names: Sequence[str], bins: NDArray[Any]) -> list[Slice]:
    return [Slice(group, name, phrase.format(name), bins == number) for number, name in enumerate(names)]


def _by_words(cases: Cases) -> list[Slice]:
    kinds = [kinds_of_words(annotation.expression) for annotation in cases.annotations]
    group = 'words in the expression'
    found = [Slice(group, f'{kind} words', f'expressions with {kind} words', np.array([kind in one for one in kinds]))
             for kind in WORDS]
    return [*found, Slice(group, NONE, f'expressions without {", ".join(WORDS)} words', np.array([not one for one in kinds]))]


def _by_alike(cases: Cases) -> list[Slice]:
    """By the number of annotated objects of the target's category, itself among them; in none where it is unknown."""
    others = [-1 if annotation.category is None else cases.others(index).categories.count(annotation.category)
              for index, annotation in enumerate(cases.annotations)]
    return _by_bin("annotated objects of the target's category", "images with {} of the target's category", ALIKE_NAMES,
                   np.minimum(others, len(ALIKE_NAMES) - 1))
