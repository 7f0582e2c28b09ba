"""The official layout of RefCOCO, RefCOCO+ and RefCOCOg: ``instances.json`` beside ``refs(unc).p``.

``refs(*).p`` is a pickled list of referred objects, each with its sentences; ``instances.json`` is COCO style and its boxes
are (x, y, width, height), float, 0-based; an object without one has the box around its mask.
The ``file_name`` in the pickle carries an annotation id and names no file: images are found by their id.
"""
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import Box
from mmduet.datasets.readers.masks import corners_of_coco
from mmduet.datasets.readers.source_data import NO_SIZE, SourceBuilder, SourceData, get_field
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.datasets.readers.target import Target
from mmduet.io.errors import DataError
from mmduet.io.pickles import load_plain_pickle
from mmduet.io.text import read_json


def read_official_refcoco(source: Path, split_by: str, load: Callable[[Path], Any] = read_json) -> SourceData:
    """Read one folder.

    Args:
        source: folder with ``instances.json`` and ``refs(<split_by>).p``.
        split_by: ``'unc'``, ``'umd'`` or ``'google'``.
        load: reads a JSON file.

    Raises:
        DataError: a file is missing or broken, a pickle asks for a forbidden class, or an entry lacks a field.
    """
    refs_file, instances_file = source / f'refs({split_by}).p', source / 'instances.json'
    for path in (refs_file, instances_file):
        if not path.is_file():
            there = ', '.join(sorted(p.name for p in source.iterdir())[:8]) if source.is_dir() else 'no such folder'
            raise DataError(f'{path} does not exist; {source} holds: {there}')
    builder, boxes, categories = _read_instances(instances_file, load)
    refs = load_plain_pickle(refs_file)
    if not isinstance(refs, list) or not refs:
        raise DataError(f'{refs_file} must hold a list of references, got {type(refs).__name__} of length '
                        f'{len(refs) if isinstance(refs, (list, dict)) else 0}')
    for number, ref in enumerate(refs):
        where = f'{refs_file}: reference {number}'
        ann_id, image_id = get_field(ref, 'ann_id', where, int, str), get_field(ref, 'image_id', where, int, str)
        if ann_id not in boxes or image_id not in builder.images:
            raise DataError(f'{where}: {instances_file.name} has no annotation {ann_id} or no image {image_id}')
        for sentence in get_field(ref, 'sentences', where, list, tuple):
            own_id = get_field(sentence, 'sent_id', where, int, str)
            builder.add(where, image_id, get_field(sentence, 'sent', where), {
                'expression_id': str(own_id), 'box': boxes[ann_id], 'split': get_field(ref, 'split', where),
                'ref_id': get_field(ref, 'ref_id', where), 'ann_id': ann_id, 'category': categories[ann_id],
                'kind': sentence.get('kind')})
    return builder.finish([refs_file, instances_file])


def _read_instances(path: Path, load: Callable[[Path], Any]) -> tuple[SourceBuilder, dict[int | str, Box],
                                                                     dict[int | str, str | None]]:
    """Images with all their objects; box and class name by annotation id."""
    content = load(path)
    names = {get_field(record, 'id', f'{path}: categories', int, str): get_field(record, 'name', f'{path}: categories')
             for record in get_field(content, 'categories', str(path), list)}
    builder = SourceBuilder(objects_known=True)
    for record in get_field(content, 'images', str(path), list):
        where = f'{path}: images'
        size = (get_field(record, 'width', where), get_field(record, 'height', where))
        builder.add_image(get_field(record, 'file_name', where), size, get_field(record, 'id', where, int, str))
    boxes: dict[int | str, Box] = {}
    categories: dict[int | str, str | None] = {}
    for record in get_field(content, 'annotations', str(path), list):
        ann_id = get_field(record, 'id', f'{path}: annotations', int, str)
        where = f'{path}: annotation {ann_id}'
        image = builder.images.get(get_field(record, 'image_id', where, int, str))
        boxes[ann_id] = corners_of_coco(record, where, image.size if image else NO_SIZE)
        categories[ann_id] = names.get(get_field(record, 'category_id', where, int, str))
        if image is not None and not record.get('iscrowd'):
            image.boxes.append(boxes[ann_id])
            image.categories.append(categories[ann_id])
    return builder, boxes, categories


def find_official(files: SourceFiles, target: Target) -> list[Path]:
    """``refs(<split_by>).p`` with its ``instances.json``."""
    for refs in files.named(f'refs({target.split_by}).p'):
        if target.accepts(refs, files.root) and refs.with_name('instances.json') in files.paths:
            return [refs, refs.with_name('instances.json')]
    return []


def read_official(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read what ``find_official`` found; the errors are those of ``read_official_refcoco``."""
    return read_official_refcoco(paths[0].parent, target.split_by, files.json)
