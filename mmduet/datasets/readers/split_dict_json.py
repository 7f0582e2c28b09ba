"""SeqTR's and SimVG's ``instances.json``: for each split a list of objects with all their expressions.

An object has ``image_id``, ``bbox`` (x, y, width, height), ``expressions``, and mostly ``ann_id``, ``height``, ``width``.
"""
from pathlib import Path
from typing import Any

from mmduet.datasets.ids import plain_id
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.source_data import UNKNOWN_SIZE, SourceData, corners_of_xywh, get_field, split_of_word
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError


def _is_split_dict(content: Any) -> bool:
    if not isinstance(content, dict) or not content or not all(isinstance(value, list) for value in content.values()):
        return False
    first = next((value[0] for value in content.values() if value), None)
    return isinstance(first, dict) and {'image_id', 'bbox', 'expressions'} <= set(first)


def find_split_dict(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """The JSON file of the data set."""
    found = spec.json_files(files, _is_split_dict)
    if len(found) > 1:
        raise DataError(f'{found[0]} and {found[1]} both hold objects with expressions: name one of them')
    return found


def read_split_dict(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read the file."""
    pattern = 'COCO_train2014_{:012d}.jpg' if spec.family.startswith('refcoco') else '{}.jpg'
    path, = data.files
    for split, records in files.json(path).items():
        split = split_of_word(split, str(path))
        for number, record in enumerate(records):
            where = f'{path}: {split}, object {number}'
            number_of_image = get_field(record, 'image_id', where)
            try:
                file_name = pattern.format(int(number_of_image))
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f'{where}: image_id must be a number, got {number_of_image!r}') from error
            size = (record.get('width', UNKNOWN_SIZE), record.get('height', UNKNOWN_SIZE))
            image_id = data.add_image(file_name, size)
            box = corners_of_xywh(get_field(record, 'bbox', where), where)
            for position, text in enumerate(get_field(record, 'expressions', where, list)):
                data.add(where, image_id, text, expression_id=f'{split}_{number}_{position}', split=split, box=box,
                         ref_id=f'{split}_{number}', ann_id=plain_id(record.get('ann_id')))
