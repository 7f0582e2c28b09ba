"""The official layout of RefCOCO, RefCOCO+ and RefCOCOg: ``instances.json`` beside ``refs(unc).p``.

``refs(*).p`` is a pickled list of referred objects, each with its sentences; ``instances.json`` is COCO style and its boxes
are (x, y, width, height), float, 0-based. The ``file_name`` in the pickle carries an annotation id and names no file: images
are found by their id.
"""
import json
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import Annotation, Box, clean_expression
from mmduet.datasets.errors import DataError
from mmduet.datasets.readers.source_data import SourceData, SourceImage
from mmduet.datasets.safe_pickle import load_plain_pickle


def read_official_refcoco(source: Path, split_by: str) -> SourceData:
    """Read one folder.

    Args:
        source: folder with ``instances.json`` and ``refs(<split_by>).p``.
        split_by: ``'unc'``, ``'umd'`` or ``'google'``.

    Raises:
        DataError: a file is missing or broken, a pickle asks for a forbidden class, or an entry lacks a field.
    """
    refs_file, instances_file = source / f'refs({split_by}).p', source / 'instances.json'
    for path in (refs_file, instances_file):
        if not path.is_file():
            there = ', '.join(sorted(p.name for p in source.iterdir())[:8]) if source.is_dir() else 'no such folder'
            raise DataError(f'{path} does not exist; {source} holds: {there}')
    images, boxes, categories = _read_instances(instances_file)
    annotations: list[Annotation] = []
    blank: list[str] = []
    refs = load_plain_pickle(refs_file)
    if not isinstance(refs, list) or not refs:
        raise DataError(f'{refs_file} must hold a list of references, got {type(refs).__name__} of length '
                        f'{len(refs) if isinstance(refs, (list, dict)) else 0}')
    for number, ref in enumerate(refs):
        where = f'{refs_file}: reference {number}'
        ann_id, image_id = _get(ref, 'ann_id', where), _get(ref, 'image_id', where)
        if ann_id not in boxes or image_id not in images:
            raise DataError(f'{where}: {instances_file.name} has no annotation {ann_id} or no image {image_id}')
        image = images[image_id]
        for sentence in _get(ref, 'sentences', where):
            sentence_id, text = _get(sentence, 'sent_id', where), clean_expression(_get(sentence, 'sent', where))
            if not text:
                blank.append(f'{where}: sentence {sentence_id} is blank')
                continue
            annotations.append(Annotation(
                expression_id=str(sentence_id), image=image.file_names[0], image_id=image_id, width=image.width,
                height=image.height, expression=text, box=boxes[ann_id], split=_get(ref, 'split', where),
                ref_id=_get(ref, 'ref_id', where), ann_id=ann_id, category=categories[ann_id],
                kind=sentence.get('kind')))
    return SourceData(images=images, annotations=annotations, blank=blank, files=[refs_file, instances_file])


def _get(record: Any, name: str, where: str) -> Any:
    if not isinstance(record, dict) or name not in record:
        raise DataError(f'{where}: field {name!r} is missing')
    return record[name]


def coco_file_names(image_id: int | str, file_name: str) -> tuple[str, ...]:
    """Names that a COCO image goes by: the source's own, that of the 2014 release and that of the 2017 release."""
    names = [file_name]
    if isinstance(image_id, int):
        names += [f'COCO_train2014_{image_id:012d}.jpg', f'{image_id:012d}.jpg']
    return tuple(dict.fromkeys(names))


def _corners(bbox: Any, where: str) -> Box:
    """(x, y, width, height) to corners."""
    try:
        x, y, width, height = (float(value) for value in bbox)
    except (TypeError, ValueError) as error:
        raise DataError(f'{where}: bbox must be four numbers x, y, width, height, got {bbox!r}') from error
    if not (width >= 0 and height >= 0):
        raise DataError(f'{where}: bbox has a negative size: {bbox!r}')
    return x, y, x + width, y + height


def _read_instances(path: Path) -> tuple[dict[int | str, SourceImage], dict[int, Box], dict[int, str | None]]:
    """Images by id with all their objects; box and class name by annotation id."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise DataError(f'{path}: not valid JSON: {error}') from error
    names = {_get(c, 'id', f'{path}: categories'): _get(c, 'name', f'{path}: categories')
             for c in _get(content, 'categories', str(path))}
    images: dict[int | str, SourceImage] = {}
    for record in _get(content, 'images', str(path)):
        where = f'{path}: images'
        image_id = _get(record, 'id', where)
        images[image_id] = SourceImage(width=_get(record, 'width', where), height=_get(record, 'height', where),
                                       file_names=coco_file_names(image_id, _get(record, 'file_name', where)))
    boxes: dict[int, Box] = {}
    categories: dict[int, str | None] = {}
    for record in _get(content, 'annotations', str(path)):
        ann_id = _get(record, 'id', f'{path}: annotations')
        where = f'{path}: annotation {ann_id}'
        boxes[ann_id] = _corners(_get(record, 'bbox', where), where)
        categories[ann_id] = names.get(_get(record, 'category_id', where))
        image = images.get(_get(record, 'image_id', where))
        if image is not None and not record.get('iscrowd'):
            image.boxes.append(boxes[ann_id])
            image.categories.append(categories[ann_id])
    return images, boxes, categories
