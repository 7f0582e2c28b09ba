"""The official layout of RefCOCO, RefCOCO+ and RefCOCOg: ``instances.json`` beside ``refs(unc).p``; RefShapes has it too.

``refs(*).p`` is a pickled list of referred objects, each with its sentences; ``instances.json`` is COCO style and its boxes
are (x, y, width, height), float, 0-based; an object without one has the box around its mask.
The ``file_name`` in the pickle carries an annotation id and names no file: images are found by their id.
"""
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import Box
from mmduet.datasets.ids import get_id, plain_id
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.masks import corners_of_coco
from mmduet.datasets.readers.source_data import NO_SIZE, SourceData, get_field
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError
from mmduet.io.files import sha256_of
from mmduet.io.pickles import load_plain_pickle
from mmduet.io.text import read_json, read_json_lines


def find_official(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """``refs(<split_by>).p`` with its ``instances.json``."""
    for refs in files.named(f'refs({spec.split_by}).p'):
        if spec.accepts(refs, files.root) and refs.with_name('instances.json') in files.paths:
            return [refs, refs.with_name('instances.json')]
    return []


def read_official(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read the references; a pickle that asks for a forbidden class is an error."""
    refs_file, instances_file = data.files
    boxes, categories = _read_instances(data, instances_file, files.json(instances_file))
    refs = load_plain_pickle(refs_file)
    if not isinstance(refs, list) or not refs:
        raise DataError(f'{refs_file} must hold a list of references, got {type(refs).__name__} of length '
                        f'{len(refs) if isinstance(refs, (list, dict)) else 0}')
    for number, ref in enumerate(refs):
        where = f'{refs_file}: reference {number}'
        ann_id, image_id = (get_id(ref, name, where) for name in ('ann_id', 'image_id'))
        if ann_id not in boxes or image_id not in data.images:
            raise DataError(f'{where}: {instances_file.name} has no annotation {ann_id} or no image {image_id}')
        for sentence in get_field(ref, 'sentences', where, list, tuple):
            own_id = get_id(sentence, 'sent_id', where)
            data.add(where, image_id, get_field(sentence, 'sent', where), object_known=True, expression_id=str(own_id),
                     box=boxes[ann_id], split=get_field(ref, 'split', where), ref_id=plain_id(get_field(ref, 'ref_id', where)),
                     ann_id=ann_id, category=categories[ann_id], kind=sentence.get('kind'))


def _read_instances(data: SourceData, path: Path, content: Any) -> tuple[dict[int | str, Box], dict[int | str, str | None]]:
    """Add images with all their objects; box and class name by annotation id."""
    names = {get_id(record, 'id', f'{path}: categories'): get_field(record, 'name', f'{path}: categories')
             for record in get_field(content, 'categories', str(path), list)}
    for record in get_field(content, 'images', str(path), list):
        where = f'{path}: images'
        size = (get_field(record, 'width', where), get_field(record, 'height', where))
        data.add_image(get_field(record, 'file_name', where), size, get_id(record, 'id', where))
    boxes: dict[int | str, Box] = {}
    categories: dict[int | str, str | None] = {}
    for record in get_field(content, 'annotations', str(path), list):
        ann_id = get_id(record, 'id', f'{path}: annotations')
        where = f'{path}: annotation {ann_id}'
        image = data.images.get(get_id(record, 'image_id', where))
        boxes[ann_id] = corners_of_coco(record, where, image.size if image else NO_SIZE)
        categories[ann_id] = names.get(get_id(record, 'category_id', where))
        if image is not None and not record.get('iscrowd'):
            image.boxes.append(boxes[ann_id])
            image.categories.append(categories[ann_id])
    return boxes, categories


def read_refshapes(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read what ``mmduet make-refshapes`` wrote; what its manifest says of seed, level and content is kept.

    ``absent.jsonl`` holds the split whose expressions have no target, which the official layout cannot say. A folder without
    ``manifest.json`` is read as any other of that layout; of one with it, files that are not those which the
    manifest was written for are an error.
    """
    path = data.files[0].with_name('manifest.json')
    read_official(data, files, spec)
    absent = path.with_name('absent.jsonl')
    if absent.is_file():
        data.files.append(absent)
        for number, (where, record) in enumerate(read_json_lines(absent), 1):
            image, *size = (get_field(record, name, where) for name in ('image', 'width', 'height'))
            image_id = data.add_image(image, (size[0], size[1]), image)
            data.add(where, image_id, get_field(record, 'expression', where), expression_id=f'absent{number}', box=None,
                     split='absent', kind=record.get('kind'))
    if not path.is_file():
        return
    try:
        manifest = read_json(path)
        expected = {file: manifest['files'][file.name] for file in data.files}
        data.about = {name: manifest[name] for name in ('seed', 'level', 'size', 'expressions', 'scenes', 'sha256')}
    except (DataError, KeyError, TypeError) as error:
        raise DataError(f'{path} is not a manifest of RefShapes ({type(error).__name__}: {error}); make the data again with '
                        'mmduet make-refshapes') from error
    for file, digest in expected.items():
        if sha256_of(file) != digest:
            raise DataError(f'{file} is not the file that {path} was written for; make the data again with '
                            'mmduet make-refshapes')
