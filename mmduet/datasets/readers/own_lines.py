"""A user's own data: one JSON line per expression with ``image``, ``expression`` and ``box`` or ``segmentation``.

``box`` is x1, y1, x2, y2 in pixels of the image file, 0-based; ``segmentation`` is a mask as COCO has it, polygons or run
lengths, which becomes the box around it where there is no ``box``. ``split`` may be left out where the file is named after
it. Ids and sizes are optional: an expression without an ``expression_id`` goes by file and line, an image without
``image_id`` by its name, and sizes are read from the images.
"""
from pathlib import Path

from mmduet.datasets.readers.masks import corners_of_mask
from mmduet.datasets.readers.shikra_jsonl import first_record
from mmduet.datasets.readers.source_data import (
    UNKNOWN_SIZE,
    SourceBuilder,
    SourceData,
    corners_of_xyxy,
    get_field,
    image_id_of_coco,
    split_of_name,
    split_of_word,
)
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.datasets.readers.target import Target
from mmduet.io.text import read_json_lines

_FIELDS = ('image', 'expression', 'box')
_OPTIONAL = ('ref_id', 'ann_id', 'category', 'kind')


def find_own(files: SourceFiles, target: Target) -> list[Path]:
    """Files whose lines have the fields."""
    return [path for path in files.named('.jsonl') if path.name != 'objects.jsonl'
            and any(name in first_record(path) for name in _FIELDS)]


def read_own(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read all files."""
    builder = SourceBuilder()
    for path in paths:
        for where, record in read_json_lines(path):
            image, text = (get_field(record, name, where, str) for name in ('image', 'expression'))
            split = split_of_word(record.get('split') or split_of_name(path.stem) or path.stem, where)
            size = (record.get('width', UNKNOWN_SIZE), record.get('height', UNKNOWN_SIZE))
            image_id = builder.add_image(image, size, record.get('image_id', image_id_of_coco(image)))
            if 'segmentation' in record and 'box' not in record:
                box = corners_of_mask(record['segmentation'], where, builder.images[image_id].size)
            else:
                box = corners_of_xyxy(get_field(record, 'box', where), where)
            builder.add(where, image_id, text, {
                'expression_id': str(record.get('expression_id', f'{path.stem}:{where.rpartition(":")[2]}')), 'split': split,
                'box': box, **{name: record.get(name) for name in _OPTIONAL}})
    return builder.finish(paths)
