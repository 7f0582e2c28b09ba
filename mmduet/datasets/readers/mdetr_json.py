"""MDETR's files for fine-tuning, ``finetune_refcoco_<split>.json``: COCO style, an entry of ``images`` for each expression.

The expression is the ``caption`` of the image, its box the annotation of that image, (x, y, width, height)
or a mask.
"""
from pathlib import Path
from typing import Any

from mmduet.datasets.readers.masks import corners_of_coco
from mmduet.datasets.readers.source_data import SourceBuilder, SourceData, get_field, split_of_name
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.datasets.readers.target import Target
from mmduet.io.errors import DataError


def _is_mdetr(content: Any) -> bool:
    images = content.get('images') if isinstance(content, dict) else None
    return (isinstance(images, list) and bool(images) and 'annotations' in content and isinstance(images[0], dict)
            and 'caption' in images[0])


def find_mdetr(files: SourceFiles, target: Target) -> list[Path]:
    """JSON files of the data set whose images have captions."""
    return [path for path in files.named('.json') if target.accepts(path, files.root) and split_of_name(path.stem)
            and _is_mdetr(files.json(path))]


def read_mdetr(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read one file per split; an expression must have one box."""
    builder = SourceBuilder()
    for path in paths:
        content, split = files.json(path), split_of_name(path.stem) or ''
        boxes: dict[int | str, list[dict[str, Any]]] = {}
        for record in get_field(content, 'annotations', str(path), list):
            boxes.setdefault(get_field(record, 'image_id', f'{path}: annotations', int, str), []).append(record)
        for number, record in enumerate(content['images']):
            own_id = get_field(record, 'id', f'{path}: images, entry {number}', int, str)
            where = f'{path}: image {own_id}'
            targets = boxes.get(own_id, [])
            if len(targets) != 1:
                raise DataError(f'{where}: an expression must have one box, got {len(targets)}')
            size = (get_field(record, 'width', where), get_field(record, 'height', where))
            image_id = builder.add_image(get_field(record, 'file_name', where), size)
            builder.add(where, image_id, get_field(record, 'caption', where), {
                'expression_id': f'{split}_{own_id}', 'split': split, 'ann_id': targets[0].get('original_id'),
                'box': corners_of_coco(targets[0], where, builder.images[image_id].size)})
    return builder.finish(paths)
