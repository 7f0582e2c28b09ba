"""Several expressions about one image that are drawn together: one view of the image for all of them.

``results`` of a pipeline describe an image and one expression about it. Where more are drawn with it, ``results['companions']``
holds a dict of each: its ``text``, ``box`` and what else is its own. A transform that moves boxes or changes words does so to
all ``expressions_of(results)``, and only in a way that leaves each of them true.
"""
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmduet.io.errors import DataError

COMPARED = ('text', 'box', 'distractors')
# What is an expression's own; all else is the image's.
OWN = frozenset({*COMPARED, 'expression_id', 'distractor_index', 'swapped_words', 'accepted_boxes', 'split', 'data_hash',
                 'objects_hash', 'companions'})


def expressions_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The first expression, which is ``results``, and its companions: dicts that a transform changes in place.

    >>> from mmduet.datasets.transforms import expressions_of
    >>> results = {'img': None, 'text': 'left cup', 'companions': [{'text': 'the plate'}]}
    >>> [expression['text'] for expression in expressions_of(results)]
    ['left cup', 'the plate']
    """
    return [results, *results.get('companions', ())]


def whole_results(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each of ``expressions_of(results)`` with what it shares with the others, as if it were alone."""
    shared = {key: value for key, value in results.items() if key not in OWN}
    return [results, *({**shared, **companion} for companion in results.get('companions', ()))]


class NotBytesError(DataError):
    """An image that is no RGB bytes where it is packed."""


def is_bytes(image: Any) -> bool:
    """Whether an image is uint8 of shape (h, w, 3)."""
    return isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


def run_pipeline(results: dict[str, Any], pipeline: Iterable[Callable[[dict[str, Any]], dict[str, Any]]]
                 ) -> list[dict[str, Any]]:
    """Packed items of all expressions of ``results``, in their order; with companions their ``inputs`` are one tensor.

    Raises:
        DataError: a transform gives no dict, leaves the image as no RGB bytes where it is packed, or changes box or words of
            the first expression and leaves its companions as they are; names it.
    """
    companions: Sequence[dict[str, Any]] = results.get('companions', ())
    name = blamed = ''  # the first after which the image is no bytes any more
    for transform in pipeline:
        before = [[expression.get(key) for key in COMPARED] for expression in expressions_of(results)]
        blamed = '' if 'img' not in results or is_bytes(results['img']) else blamed or name
        name = type(transform).__name__
        try:
            results = transform(results)
        except NotBytesError as error:
            raise DataError(f'{error}, and {blamed} does not' if blamed else str(error)) from error
        if not isinstance(results, dict):
            raise DataError(f'{name} gives {type(results).__name__} and must give the results it was given, changed: let it '
                            'end in return results')
        if companions and 'inputs' not in results:
            changed = [any(old is not expression.get(key) for key, old in zip(COMPARED, values, strict=True))
                       for values, expression in zip(before, expressions_of(results), strict=True)]
            if changed[0] and not any(changed[1:]):
                raise DataError(f'{name} changes words or box of one expression alone, so it cannot be used where '
                                f'{len(changed)} expressions share a view of their image: let it go over '
                                'mmduet.datasets.transforms.expressions_of(results), or train with expressions_per_image=1')
    others = results.pop('companions', ())
    if len(others) != len(companions):
        raise DataError(f'the pipeline packed {len(others) + 1} of {len(companions) + 1} expressions that share an image: it '
                        'must end in PackGroundingInputs, or pack results["companions"] likewise')
    return [results, *others]


def share_equal_views(items: list[dict[str, Any]], groups: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    """The items, of which those of a group have one tensor as ``inputs`` where they were drawn one by one and are equal.

    A class with a ``__getitem__`` of its own gives each its own tensor, and an image would be encoded once for every
    expression. What that method changed for one of them alone stays so.
    """
    shown: dict[tuple[int, ...], dict[str, Any]] = {}
    for item, group in zip(items, groups, strict=True):
        first = shown.setdefault(group, item)
        pixels, others = first.get('inputs'), item.get('inputs')
        if (isinstance(pixels, Tensor) and isinstance(others, Tensor) and pixels.dtype == others.dtype
                and torch.equal(pixels, others) and first['data_samples'].canvas == item['data_samples'].canvas):
            item['inputs'] = pixels
    return items
