"""The expressions that systems answered, with the other objects of their images."""
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.datasets.annotation_file import Annotation, AnnotationStore
from mmduet.datasets.errors import AnnotationError
from mmduet.evaluation.report.overlaps import overlap_pairs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# Two annotations of one object differ by rounding.
SAME_OBJECT = 0.95


@dataclass(frozen=True, slots=True)
class Objects:
    """What is annotated in one image.

    Attributes:
        boxes: (n, 4) corners, pixels of the file.
        categories: n names, None where unknown.
    """

    boxes: Floats
    categories: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Expressions in the order of their files.

    Attributes:
        paths: the annotation files.
        annotations: n of them.
        targets: (n, 4) official corners, pixels.
        sizes: (n, 2) width and height of the image, pixels.
        images: (n,) number of each expression's image, from 0 in order of appearance.
        objects: of each image, by that number.
        objects_path: where they came from; None where they are the targets that the annotations name.
    """

    paths: tuple[Path, ...]
    annotations: tuple[Annotation, ...]
    targets: Floats
    sizes: Integers
    images: Integers
    objects: tuple[Objects, ...]
    objects_path: Path | None

    def __len__(self) -> int:
        return len(self.annotations)

    @property
    def image_count(self) -> int:
        """How many images there are."""
        return len(self.objects)

    def right_boxes(self, index: int) -> Floats:
        """(k, 4) corners of the boxes any of which is right: the target alone, where the data set names no others."""
        boxes = self.annotations[index].boxes
        return self.targets[index:index + 1] if boxes is None else np.array(boxes, dtype=np.float64)

    def others(self, index: int) -> Objects:
        """The annotated objects of an expression's image, without its target or targets."""
        objects = self.objects[self.images[index]]
        same = overlap_pairs(self.right_boxes(index)[:, None], objects.boxes[None]) >= SAME_OBJECT
        keep = np.flatnonzero(~np.any(same, axis=0))
        return Objects(objects.boxes[keep], tuple(objects.categories[number] for number in keep))


def read_cases(paths: Sequence[Path], objects_path: Path | None = None) -> Cases:
    """Read annotation files.

    Args:
        paths: of the canonical JSON lines.
        objects_path: ``objects.jsonl`` of a data root; the one beside the first annotation file where None, and where there
            is none, the targets of all expressions of an image are its objects.

    Raises:
        AnnotationError: a file or a line is wrong; names file, line and field.
    """
    store = AnnotationStore(paths)
    annotations = tuple(store)
    numbers: dict[str, int] = {}
    images = np.array([numbers.setdefault(annotation.image, len(numbers)) for annotation in annotations], dtype=np.int64)
    beside = paths[0].with_name('objects.jsonl')
    if objects_path is None and beside.exists():
        objects_path = beside
    named = _objects_of_targets(annotations, images, len(numbers))
    objects = named if objects_path is None else _read_objects(objects_path, numbers, named)
    return Cases(paths=tuple(paths), annotations=annotations, targets=store.boxes, sizes=store.sizes, images=images,
                 objects=tuple(objects), objects_path=objects_path)


def _objects_of_targets(annotations: Sequence[Annotation], images: Integers, count: int) -> list[Objects]:
    found: list[dict[tuple[float, ...], str | None]] = [{} for _ in range(count)]
    for annotation, image in zip(annotations, images, strict=True):
        found[image].setdefault(annotation.box, annotation.category)
    return [Objects(np.array(list(boxes), dtype=np.float64), tuple(boxes.values())) for boxes in found]


def _read_objects(path: Path, numbers: Mapping[str, int], named: Sequence[Objects]) -> list[Objects]:
    """Objects of the images of ``numbers``; an image that the file leaves out keeps those of ``named``."""
    objects = list(named)
    try:
        content = path.read_text(encoding='utf-8').split('\n')
    except (OSError, UnicodeDecodeError) as error:
        reason = 'does not exist' if isinstance(error, FileNotFoundError) else f'cannot be read as text: {error}'
        raise AnnotationError(f'{path} {reason}') from error
    for number, line in enumerate(content, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise AnnotationError(f'{path}:{number}: not valid JSON: {error}') from error
        image, read = _parse_objects(record, f'{path}:{number}')
        if image in numbers:
            objects[numbers[image]] = read
    return objects


def _parse_objects(record: Any, where: str) -> tuple[str, Objects]:
    if not isinstance(record, dict) or not isinstance(record.get('image'), str):
        raise AnnotationError(f"{where}: field 'image' must be text")
    boxes, categories = record.get('boxes'), record.get('categories')
    try:
        array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{where}: field 'boxes' must be a list of four numbers each") from error
    if not np.isfinite(array).all():
        raise AnnotationError(f"{where}: field 'boxes' must be finite")
    if categories is None:
        categories = [None] * len(array)
    if not isinstance(categories, list) or len(categories) != len(array):
        raise AnnotationError(f"{where}: field 'categories' must have a name for each of {len(array)} boxes")
    return record['image'], Objects(array, tuple(None if name is None else str(name) for name in categories))
