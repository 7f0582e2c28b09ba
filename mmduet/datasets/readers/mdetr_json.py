"""MDETR's files for fine-tuning, ``finetune_refcoco_<split>.json``: COCO style, an entry of ``images`` for each expression.

The expression is the ``caption`` of the image, its box the annotation of that image, (x, y, width, height) or a mask.
"""
from pathlib import Path
from typing import Any

from mmduet.datasets.ids import get_id, plain_id
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.masks import corners_of_coco
from mmduet.datasets.readers.source_data import SourceData, get_field, split_of_name
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError


def _is_mdetr(content: Any) -> bool:
    match content:
        case {'annotations': _, 'images': [{'caption': _}, *_]}:
            return True
    return False


def find_mdetr(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """JSON files of the data set whose images have captions."""
    return [path for path in spec.json_files(files, _is_mdetr) if split_of_name(path.stem)]


def read_mdetr(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read one file per split; an expression must have one box."""
    for path in data.files:
        content, split = files.json(path), split_of_name(path.stem) or ''
        boxes: dict[int | str, list[dict[str, Any]]] = {}
        for record in get_field(content, 'annotations', str(path), list):
            boxes.setdefault(get_id(record, 'image_id', f'{path}: annotations'), []).append(record)
        for number, record in enumerate(content['images']):
            own_id = get_id(record, 'id', f'{path}: images, entry {number}')
            where = f'{path}: image {own_id}'
            targets = boxes.get(own_id, [])
            if len(targets) != 1:
                raise DataError(f'{where}: an expression must have one box, got {len(targets)}')
            size = (get_field(record, 'width', where), get_field(record, 'height', where))
            image_id = data.add_image(get_field(record, 'file_name', where), size)
            data.add(where, image_id, get_field(record, 'caption', where), expression_id=f'{split}_{own_id}', split=split,
                     ann_id=plain_id(targets[0].get('original_id')),
                     box=corners_of_coco(targets[0], where, data.images[image_id].size))
