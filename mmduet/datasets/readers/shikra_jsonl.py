"""Shikra's lines, ``REC_<data set>_<split>.jsonl``: ``img_path``, ``expression``, ``bbox`` (corners), ``height``, ``width``.

Conversions add ``image_id``, ``sent_id`` and ``split``; where ``sent_id`` is there it names the expression, as in the official
files.
"""
import json
from pathlib import Path
from typing import Any

from mmduet.datasets.readers.source_data import (
    SourceBuilder,
    SourceData,
    corners_of_xyxy,
    get_field,
    split_of_name,
    split_of_word,
)
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.datasets.readers.target import Target
from mmduet.io.errors import DataError
from mmduet.io.text import read_json_lines

_FIELDS = ('img_path', 'expression', 'bbox')


def first_record(path: Path) -> dict[str, Any]:
    """The first line of a file, where it is a JSON object; otherwise an empty one."""
    try:
        with path.open(encoding='utf-8-sig') as file:
            record = json.loads(next((line for line in file if line.strip()), '{}'))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def find_shikra(files: SourceFiles, target: Target) -> list[Path]:
    """Files of the data set whose lines have the fields; those named after a split, where there are any."""
    found = [path for path in files.named('.jsonl') if target.accepts(path, files.root)
             and all(name in first_record(path) for name in _FIELDS)]
    return [path for path in found if split_of_name(path.stem)] or found


def read_shikra(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read all files; a line of another data set is an error."""
    builder = SourceBuilder()
    for path in paths:
        named = split_of_name(path.stem)
        for where, record in read_json_lines(path):
            if not isinstance(record, dict):
                raise DataError(f'{where}: must be a JSON object, got {type(record).__name__}')
            said = Path(str(record.get('dataset_name', '')))
            if not target.accepts(said, said):
                raise DataError(f'{where}: the line is of {said}, not of {target.name}')
            split = named or split_of_word(get_field(record, 'split', where), where)
            size = (get_field(record, 'width', where), get_field(record, 'height', where))
            image_id = builder.add_image(Path(str(get_field(record, 'img_path', where))).name, size)
            builder.add(where, image_id, get_field(record, 'expression', where), {
                'expression_id': str(record.get('sent_id', f'{split}_{where.rpartition(":")[2]}')), 'split': split,
                'box': corners_of_xyxy(get_field(record, 'bbox', where), where)})
    return builder.finish(paths)
