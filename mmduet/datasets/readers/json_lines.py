"""One JSON line per expression: Shikra's files, and a user's own data.

Shikra's ``REC_<data set>_<split>.jsonl`` have ``img_path``, ``expression``, ``bbox`` (corners), ``height`` and ``width``;
conversions add ``image_id``, ``sent_id`` and ``split``, and where ``sent_id`` is there it names the expression, as in the
official files.

A line of own data has ``image``, ``expression`` and ``box`` or ``segmentation``. ``box`` is x1, y1, x2, y2 in pixels of the
image file, 0-based; ``segmentation`` is a mask as COCO has it, polygons or run lengths, which becomes the box around it where
there is no ``box``. ``split`` may be left out where the file is named after it. Ids and sizes are optional: an expression
without an ``expression_id`` goes by file and line, an image without ``image_id`` by its name, and sizes are read from the
images. A key that is nearly one of the first five, which the line lacks, is refused as misspelt; others are named.
"""
import json
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from mmduet.datasets.ids import plain_id
from mmduet.datasets.image_names import image_id_of_coco
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.masks import corners_of_mask
from mmduet.datasets.readers.source_data import (
    UNKNOWN_SIZE,
    SourceData,
    corners_of_xyxy,
    get_field,
    split_of_name,
    split_of_word,
)
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError
from mmduet.io.text import read_json_lines

# Lines in which an object is looked for, to tell what a file is.
LOOKED_AT = 50
_SHIKRA = {'img_path', 'expression', 'bbox'}
_OPTIONAL = ('ref_id', 'ann_id', 'category', 'kind')
_DECISIVE = {'image', 'expression', 'box', 'segmentation', 'split'}
_OWN = {*_DECISIVE, 'expression_id', 'image_id', 'width', 'height', *_OPTIONAL}
_MISSPELT = 0.75  # likeness of ``difflib`` from which a key is taken for another: `img`, `expresion`, `boxes`


def _first_record(path: Path) -> dict[str, Any] | None:
    """The first JSON object among the first lines of a file, so that one broken line does not hide a file; None for none."""
    try:
        with path.open(encoding='utf-8-sig') as file:
            for line in islice(file, LOOKED_AT):
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(record, dict):
                    return record
    except (OSError, UnicodeDecodeError):
        pass
    return None


def _has(path: Path, fields: set[str]) -> set[str]:
    return fields & set(_first_record(path) or ())


def find_shikra(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """Files of the data set whose lines have the fields; those named after a split, where there are any."""
    found = [path for path in files.named('.jsonl') if spec.accepts(path, files.root) and (
        _has(path, _SHIKRA) == _SHIKRA or (path.name.startswith('REC_') and _first_record(path) is None))]
    return [path for path in found if split_of_name(path.stem)] or found


def read_shikra(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read all files; a line of another data set is an error."""
    for path in data.files:
        for where, record in read_json_lines(path):
            if not isinstance(record, dict):
                raise DataError(f'{where}: must be a JSON object, got {type(record).__name__}')
            said = Path(str(record.get('dataset_name', '')))
            if not spec.accepts(said, said):
                raise DataError(f'{where}: the line is of {said}, not of {spec.name}')
            split = split_of_name(path.stem) or split_of_word(get_field(record, 'split', where), where)
            size = (get_field(record, 'width', where), get_field(record, 'height', where))
            image_id = data.add_image(str(get_field(record, 'img_path', where)), size)
            data.add(where, image_id, get_field(record, 'expression', where), split=split,
                     expression_id=str(plain_id(record.get('sent_id', f'{split}_{where.rpartition(":")[2]}'))),
                     box=corners_of_xyxy(get_field(record, 'bbox', where), where))


def find_own(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """Files whose lines have one of the fields, or that cannot be read, and the file that the user named."""
    return [path for path in files.named('.jsonl') if path == files.root or (path.name != 'objects.jsonl' and (
        _has(path, {'image', 'expression', 'box'}) or _first_record(path) is None))]


@lru_cache(maxsize=1024)  # lines have the same keys
def _nearest(name: str, lacking: frozenset[str]) -> str:
    return next(iter(get_close_matches(name.lower(), lacking, n=1, cutoff=_MISSPELT)), '')


def _check_keys(record: dict[str, Any], where: str, data: SourceData, split: str | None) -> None:
    """Note the keys that nobody reads; a ``DataError`` for one that is nearly a decisive one, which the line lacks.

    Others may be of a format that the lines were made from, as COCO's ``category_id``. ``split`` is that of the file's name.
    """
    lacking = _OWN - record.keys() - ({'split'} if split else set())
    if not {'box', 'segmentation'} <= lacking:  # one is enough, and COCO's objects have a `bbox` beside their mask
        lacking -= {'box', 'segmentation'}
    for name in record.keys() - _OWN:
        near = _nearest(name, frozenset(lacking))
        if near == 'box':
            raise DataError(f"{where}: field 'box' is missing, and {name!r} is not read: a line has one box of corners x1, y1, "
                            'x2, y2; of several take the one around all, or a line each')
        if near in _DECISIVE:
            raise DataError(f'{where}: field {name!r} is not read; nearest: {near}')
        data.unread.setdefault(name, f'{where}: {name!r}, here first' + (f'; nearest: {near}' if near else ''))


def read_own(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read all files."""
    for path in data.files:
        named = split_of_name(path.stem)
        for where, record in read_json_lines(path):
            if not isinstance(record, dict):
                raise DataError(f'{where}: must be a JSON object, got {type(record).__name__}')
            _check_keys(record, where, data, named)
            image, text = (get_field(record, name, where, str) for name in ('image', 'expression'))
            split = split_of_word(record.get('split') or named or path.stem, where)
            size = (record.get('width', UNKNOWN_SIZE), record.get('height', UNKNOWN_SIZE))
            try:
                image_id = data.add_image(image, size, record.get('image_id'), image_id_of_coco)
            except DataError as error:
                raise DataError(f'{where}: {error}') from error
            if 'segmentation' in record and 'box' not in record:
                box = corners_of_mask(record['segmentation'], where, data.images[image_id].size)
            else:
                box = corners_of_xyxy(get_field(record, 'box', where), where, 'box')
            more: dict[str, Any] = {name: record.get(name) for name in _OPTIONAL}
            own_id = plain_id(record.get('expression_id', f'{path.stem}:{where.rpartition(":")[2]}'))
            data.add(where, image_id, text, split=split, box=box, expression_id=str(own_id), **more)
