"""The expressions that systems answered, with the other objects of their images."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmduet.datasets.annotation_file import Annotation, AnnotationStore
from mmduet.evaluation.report.overlaps import Floats, overlap_pairs
from mmduet.io.errors import DataError
from mmduet.io.text import read_json_lines

Integers = NDArray[np.int64]
# Two annotations of one object differ by rounding.
SAME_OBJECT = 0.95


class Objects(NamedTuple):
    """What is annotated in an image: (n, 4) corners in pixels of the file, and n categories, None where unknown."""

    boxes: Floats
    categories: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Expressions in the order of their files."""

    paths: tuple[Path, ...]
    annotations: tuple[Annotation, ...]
    targets: Floats  # (n, 4) official corners, pixels
    sizes: Integers  # (n, 2) width and height of the image, pixels
    images: Integers  # (n,) number of each expression's image, from 0 in order of appearance
    objects: tuple[Objects, ...]  # of each image, by that number
    objects_path: Path | None  # where they came from; None where they are the targets that the annotations name
    positions: dict[str, dict[str, int]]  # of the expressions, by id and then by split

    def __len__(self) -> int:
        return len(self.annotations)

    def name(self, index: int) -> str:
        """The id of an expression for messages, with its split where several splits have the id."""
        one = self.annotations[index]
        return one.expression_id + (f' of {one.split}' if len(self.positions[one.expression_id]) > 1 else '')

    def right_boxes(self, index: int) -> Floats:
        """(k, 4) corners of the boxes any of which is right: the target alone, where the data set names no others."""
        boxes = self.annotations[index].boxes
        return self.targets[index:index + 1] if boxes is None else np.array(boxes, dtype=np.float64)

    def others(self, index: int) -> Objects:
        """The annotated objects of an expression's image, without its target or targets."""
        boxes, categories = self.objects[self.images[index]]
        same = overlap_pairs(self.right_boxes(index)[:, None], boxes[None]) >= SAME_OBJECT
        keep = np.flatnonzero(~np.any(same, axis=0))
        return Objects(boxes[keep], tuple(categories[number] for number in keep))


def read_cases(paths: Sequence[Path], objects_path: Path | None = None) -> Cases:
    """Read annotation files, our JSON lines; a ``DataError`` names file, line and field that are wrong.

    The objects are those of ``objects_path`` or of the ``objects.jsonl`` beside the first annotation file; where there is
    none, the targets of all expressions of an image are its objects.
    """
    store = AnnotationStore(paths)
    annotations = tuple(store)
    numbers: dict[str, int] = {}
    positions: dict[str, dict[str, int]] = {}
    for position, annotation in enumerate(annotations):
        positions.setdefault(annotation.expression_id, {})[annotation.split] = position
    images = np.array([numbers.setdefault(annotation.image, len(numbers)) for annotation in annotations], dtype=np.int64)
    targets: list[dict[tuple[float, ...], str | None]] = [{} for _ in numbers]
    for annotation, image in zip(annotations, images, strict=True):
        if annotation.box is None:
            raise DataError(f'expression {annotation.expression_id} of split {annotation.split} has no target; the report is '
                            'of expressions that have one')
        targets[image].setdefault(annotation.box, annotation.category)
    objects = [Objects(np.array(list(boxes), dtype=np.float64), tuple(boxes.values())) for boxes in targets]
    beside = paths[0].with_name('objects.jsonl')
    if objects_path is None and beside.exists():
        objects_path = beside
    if objects_path is not None:
        for where, record in read_json_lines(objects_path):
            read = _parse_objects(record, where)
            if record['image'] in numbers:
                objects[numbers[record['image']]] = read
    return Cases(paths=tuple(paths), annotations=annotations, targets=store.boxes, sizes=store.sizes, images=images,
                 objects=tuple(objects), objects_path=objects_path, positions=positions)


def _parse_objects(record: Any, where: str) -> Objects:
    if not isinstance(record, Mapping) or not isinstance(record.get('image'), str):
        raise DataError(f"{where}: field 'image' must be text")
    try:
        boxes = np.array(record.get('boxes'), dtype=np.float64).reshape(-1, 4)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: field 'boxes' must be a list of four numbers each") from error
    if not np.isfinite(boxes).all():
        raise DataError(f"{where}: field 'boxes' must be finite")
    categories = record.get('categories')
    if categories is None:
        categories = [None] * len(boxes)
    if not isinstance(categories, list) or len(categories) != len(boxes):
        raise DataError(f"{where}: field 'categories' must have a name for each of {len(boxes)} boxes")
    return Objects(boxes, tuple(None if name is None else str(name) for name in categories))
