"""Boxes around COCO's masks: polygons and run lengths, as the field ``segmentation`` has them."""
from itertools import chain
from typing import Any

from pycocotools import mask as coco_mask

from mmduet.datasets.annotation_file import Box, is_number
from mmduet.datasets.readers.source_data import BOX_DECIMALS, UNKNOWN_SIZE, corners_of_xywh, get_field
from mmduet.io.errors import DataError

_SMALLEST_POLYGON = 6
_MOST_PIXELS = 2**31
# COCO writes a number as characters of six bits each, from '0' on; this bit says that more of them follow.
_FIRST, _LAST, _MORE = ord('0'), ord('o'), 0x20


def corners_of_coco(record: Any, where: str, size: tuple[int, int]) -> Box:
    """Corners of an object of COCO: of its ``bbox`` or, where it has none, around its ``segmentation``.

    ``size`` is (width, height) of its image, pixels, or ``UNKNOWN_SIZE``; a ``DataError`` says ``where`` something is wrong.
    """
    if isinstance(record, dict) and 'bbox' not in record and 'segmentation' in record:
        return corners_of_mask(record['segmentation'], where, size)
    return corners_of_xywh(get_field(record, 'bbox', where), where)


def corners_of_mask(segmentation: Any, where: str, size: tuple[int, int]) -> Box:
    """Corners around a mask, pixels.

    Args:
        segmentation: polygons, ``[[x1, y1, x2, y2, x3, y3, ...], ...]``, or run lengths down the columns, ``{'size': [height,
            width], 'counts': [numbers]}`` or with COCO's compressed text as ``counts``.
        where, size: as in ``corners_of_coco``.

    Returns:
        Around polygons the extent of their corners, as COCO's own boxes are; around run lengths that of whole pixels, so that a
        mask of the one pixel at the origin has (0, 0, 1, 1).

    Raises:
        DataError: it is neither, shows nothing, or is of an image of another size; says where.

    >>> corners_of_mask([[1, 2, 5, 2, 5, 4.5]], 'here', (8, 6))
    (1.0, 2.0, 5.0, 4.5)
    >>> corners_of_mask({'size': [2, 3], 'counts': [2, 1, 3]}, 'here', (3, 2))
    (1.0, 0.0, 2.0, 1.0)
    """
    if isinstance(segmentation, dict):
        return _corners_of_runs(segmentation, where, size)
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f'{where}: segmentation must be polygons or run lengths, got {segmentation!r:.60}')
    for polygon in segmentation:
        if (not isinstance(polygon, list) or len(polygon) < _SMALLEST_POLYGON or len(polygon) % 2
                or not all(is_number(value) for value in polygon)):
            raise DataError(f'{where}: a polygon of the segmentation must be numbers x1, y1, x2, y2, x3, y3, ..., got '
                            f'{polygon!r:.60}')
    values = [float(value) for value in chain.from_iterable(segmentation)]
    # Lengths are even, so that x and y alternate over all polygons.
    xs, ys = values[::2], values[1::2]
    x1, y1, x2, y2 = (round(value, BOX_DECIMALS) for value in (min(xs), min(ys), max(xs), max(ys)))
    return x1, y1, x2, y2


def _corners_of_runs(runs: dict[str, Any], where: str, size: tuple[int, int]) -> Box:
    shape = runs.get('size')
    if (not isinstance(shape, list | tuple) or len(shape) != 2 or any(type(side) is not int or side < 1 for side in shape)
            or shape[0] * shape[1] > _MOST_PIXELS):
        raise DataError(f'{where}: run lengths must have size [height, width], got {shape!r:.60}')
    height, width = shape
    if UNKNOWN_SIZE not in size and (width, height) != size:
        raise DataError(f'{where}: the run lengths are of an image of {width} x {height} pixels, the image has '
                        f'{size[0]} x {size[1]}')
    counts = runs.get('counts')
    if isinstance(counts, list):
        if any(type(count) is not int or count < 0 for count in counts) or sum(counts) != height * width:
            raise DataError(f'{where}: run lengths must be whole numbers that sum to {height} x {width}, got {counts!r:.60}')
        runs = coco_mask.frPyObjects({'size': [height, width], 'counts': counts}, height, width)
    # pycocotools reads on behind the end of a text whose last number is not finished.
    elif (not isinstance(counts, str) or not counts or not all(_FIRST <= ord(letter) <= _LAST for letter in counts)
          or (ord(counts[-1]) - _FIRST) & _MORE):
        raise DataError(f'{where}: run lengths must be numbers or text compressed by COCO, got {counts!r:.60}')
    x, y, columns, rows = (float(value) for value in coco_mask.toBbox(runs))
    if columns < 1 or rows < 1:
        raise DataError(f'{where}: the run lengths show no object')
    if not 0 <= x <= x + columns <= width or not 0 <= y <= y + rows <= height:
        raise DataError(f'{where}: the run lengths do not fit an image of {width} x {height} pixels')
    return x, y, x + columns, y + rows
