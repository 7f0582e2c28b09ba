"""All cases of a report as one JSON that the page's script shows on demand: words, boxes, overlaps and small images."""
import json
from typing import Any

import numpy as np

from mmduet.evaluation.report.gallery import Album, encode_image
from mmduet.evaluation.report.outcomes import NO_BOX, OUTCOMES
from mmduet.evaluation.report.overlaps import clip_boxes
from mmduet.evaluation.report.slices import make_slices
from mmduet.evaluation.report.summary import Summary

# Of the page: cases past the first are said to be left out, and images past the second are empty frames.
MOST_CASES = 20_000
MOST_BYTES = 12_000_000
SIDE, QUALITY = 200, 60


def gather_cases(summary: Summary, album: Album, most_cases: int = MOST_CASES, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Plain values of all cases; lists instead of objects, as there are many.

    Args:
        album: where images come from; each is embedded once, for as long as ``most_bytes`` of base64 last.
        most_cases: further ones are left out, and counted in ``left_out``.

    Returns:
        ``systems``, ``outcomes``, ``splits``: names; ``images``: [name, width, height, data URI or null]; ``slices``: the
        numbers of the cases in each slice, in the order of the figures; ``cases``: [id, split, expression, image,
        right boxes, [IoU, outcome, box or null, score or null] of each system]; boxes are
        cut to the image, to a tenth of a pixel.
    """
    cases, systems = summary.cases, summary.systems
    count = min(len(cases), most_cases)
    splits = list(dict.fromkeys(annotation.split for annotation in cases.annotations))
    clipped = [clip_boxes(system.predictions.boxes, cases.sizes) for system in systems]
    images: dict[int, list[Any]] = {}
    spent, rows = 0, []
    for index in range(count):
        annotation, number = cases.annotations[index], int(cases.images[index])
        if number not in images:
            uri = _thumbnail(album, annotation.image) if spent < most_bytes else None
            spent += len(uri or '')
            images[number] = [annotation.image, annotation.width, annotation.height, uri]
        answers = []
        for system, boxes in zip(systems, clipped, strict=True):
            outcome, score = system.outcomes.names[index], float(system.predictions.scores[index])
            answers.append([round(float(system.overlaps[index]), 3), OUTCOMES.index(outcome),
                            None if outcome == NO_BOX else _tenths(boxes[index]), None if np.isnan(score) else round(score, 4)])
        rows.append([annotation.expression_id, splits.index(annotation.split), annotation.expression, number,
                     [_tenths(box) for box in cases.right_boxes(index)], answers])
    return {
        'systems': [system.name for system in systems], 'outcomes': list(OUTCOMES), 'splits': splits,
        'images': [images.get(number, ['', 1, 1, None]) for number in range(max(images, default=-1) + 1)],
        'slices': [[int(index) for index in np.flatnonzero(part.mask) if index < count] for part in make_slices(cases)],
        'cases': rows, 'left_out': len(cases) - count,
        'without_image': sum(image[3] is None for image in images.values()),
    }


def to_script(value: Any) -> str:
    """JSON that can stand inside an element ``script`` of a page, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(',', ':'))
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')


def _tenths(box: Any) -> list[float]:
    return [round(float(value), 1) for value in box]


def _thumbnail(album: Album, name: str) -> str | None:
    pixels = album.read(name)
    return None if pixels is None else encode_image(pixels, SIDE, QUALITY)
