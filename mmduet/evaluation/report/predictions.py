"""Predictions of any system, from JSON lines, JSON or CSV, brought into the order of the expressions."""
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.datasets.annotation_file import is_number
from mmduet.datasets.box_units import mostly_fractions
from mmduet.datasets.ids import plain_id
from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.overlaps import Floats
from mmduet.evaluation.report.words import split_words
from mmduet.io.errors import DataError
from mmduet.io.files import sha256_of
from mmduet.io.text import parse_json, read_json_lines, read_text

Record = dict[str, Any]
# Where it stands, for messages, and its content.
Entry = tuple[str, Record]
FORMATS = ('xyxy', 'xywh')
COLUMNS: dict[tuple[str, ...], str] = {
    ('x1', 'y1', 'x2', 'y2'): 'xyxy', ('x', 'y', 'w', 'h'): 'xywh', ('x', 'y', 'width', 'height'): 'xywh'}
# Expressions that a message names.
NAMED = 3
# Whether pre-training saw none of the images, from the worst word to the best; a file is as good as its worst line.
EXCLUDED = ('no', 'unknown', 'yes')


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What one system, of this name, answered in a file, in the order of the expressions."""

    name: str
    path: Path
    sha256: str
    boxes: Floats  # (n, 4) corners in pixels; nan where the system gave no box
    scores: Floats  # (n,) its confidence; nan where it gave none
    recorded: Floats  # (n,) the IoU that the file states; nan where it states none
    excluded: str  # whether pre-training saw none of the images it is tested on: yes, no or unknown


def read_predictions(path: Path, cases: Cases, name: str, box_format: str | None = None,
                     allow_no_box: bool = False, excluded: str | None = None) -> Predictions:
    """Read one file.

    Args:
        path: ``.jsonl`` as ``mmduet test`` writes it; ``.json``, a list of the same objects; either also with one plain
            box per expression, in the order of the annotations; or ``.csv``: four numbers per row in that order, or columns
            ``expression_id`` and ``x1,y1,x2,y2`` or ``x,y,w,h``.
        cases: the expressions.
        name: of the system.
        box_format: ``'xyxy'`` or ``'xywh'``, in pixels. Must be given for plain boxes; objects are xyxy where None.
        allow_no_box: take null and nan for "no box found", which is a miss, instead of refusing them.
        excluded: whether pre-training saw none of the images, for a file that does not state it.

    A ``DataError`` names file, line and id where the file cannot be read or is not about these annotations.
    """
    readers = {'.jsonl': read_json_lines, '.json': _read_json_list, '.csv': _read_csv}
    if path.suffix.lower() not in readers:
        raise DataError(f'{path}: the name must end in {", ".join(readers)}')
    found = list(readers[path.suffix.lower()](path))
    if not found:
        raise DataError(f'{path} is empty: it holds no prediction')
    entries = [(where, entry if isinstance(entry, dict) else {'box': entry}) for where, entry in found]
    positions = _match(path, entries, cases)
    if box_format is None and not all(isinstance(entry, dict) for _, entry in found):
        raise DataError(f'{path}: plain boxes need --boxes xyxy (corners) or --boxes xywh (corner and size)')
    values = np.full((len(cases), 6), np.nan)
    for (where, record), position in zip(entries, positions, strict=True):
        wanted = (box_format, ) if box_format else FORMATS
        kind = record.get('box_format', wanted[0])
        if kind not in wanted:
            raise DataError(f'{where}: the columns are {kind}, --boxes says {" or ".join(wanted)}')
        box = _read_box(record, f'{where}: expression {cases.name(position)}', kind, allow_no_box)
        values[position] = [*box, *(_read_number(record, field, where) for field in ('score', 'iou'))]
    missing = [cases.name(position) for position in sorted(set(range(len(cases))).difference(positions))]
    if missing:
        raise DataError(f'{path}: {len(missing)} of {len(cases)} expressions have no prediction, such as '
                        f'{", ".join(missing[:NAMED])}; the annotations are {_sources(cases)}')
    if mostly_fractions(values[:, :4], cases.sizes):
        raise DataError(f'{path}: boxes lie between 0 and 1, or hardly beyond: pixels of the image are needed, not fractions')
    return Predictions(name=name, path=path, sha256=sha256_of(path), boxes=values[:, :4], scores=values[:, 4],
                       recorded=values[:, 5], excluded=_read_excluded(entries, excluded))


def _read_json_list(path: Path) -> Iterator[tuple[str, Any]]:
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, list):
        raise DataError(f'{path}: must be a list of boxes or of objects, got {type(content).__name__}')
    return ((f'{path}: entry {number}', entry) for number, entry in enumerate(content, 1))


def _read_csv(path: Path) -> Iterator[tuple[str, Any]]:
    """Lists of numbers where there is no header, else objects."""
    reader = csv.reader(read_text(path).splitlines())
    try:
        rows = [(f'{path}:{reader.line_num}', [value.strip() for value in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise DataError(f'{path}:{reader.line_num}: {error}') from error
    if not rows or not any(value[:1].isalpha() and value != 'nan' for value in rows[0][1]):
        yield from ((where, [_to_number(value, where) for value in values]) for where, values in rows)
        return
    header = [value.lower() for value in rows[0][1]]
    names = next((names for names in COLUMNS if set(names) <= set(header)), None)
    if names is None:
        raise DataError(f'{rows[0][0]}: the header must have x1,y1,x2,y2 or x,y,w,h, got {",".join(header)}')
    for where, values in rows[1:]:
        if len(values) != len(header):
            raise DataError(f'{where}: has {len(values)} values, the header has {len(header)}')
        record = {name: value for name, value in zip(header, values, strict=True) if value}
        numbers = {name: _to_number(record.get(name, ''), where) for name in (*names, 'score', 'iou')}
        yield where, {**record, **numbers, 'box': [numbers[name] for name in names], 'box_format': COLUMNS[names]}


def _to_number(text: str, where: str) -> float:
    try:
        return float(text or 'nan')
    except ValueError as error:
        raise DataError(f'{where}: {text!r} is not a number') from error


def _match(path: Path, entries: Sequence[Entry], cases: Cases) -> list[int]:
    """The position of each entry's expression, by its id or, where no entry has one, by its order."""
    keyed = ['expression_id' in record for _, record in entries]
    if any(keyed) and not all(keyed):
        raise DataError(f'{entries[keyed.index(not keyed[0])][0]}: some entries have an expression_id and some have none')
    if not any(keyed) and len(entries) != len(cases):
        raise DataError(f'{path} holds {len(entries)} boxes without expression_id, the annotations {_sources(cases)} hold '
                        f'{len(cases)} expressions: one box for each is needed, in their order')
    found: dict[int, str] = {}
    for number, (where, record) in enumerate(entries):
        position = _find(where, record, cases) if keyed[0] else number
        if position in found:
            raise DataError(f'{where}: expression {cases.name(position)} was already answered at {found[position]}')
        found[position] = where
    return list(found)


def _find(where: str, record: Record, cases: Cases) -> int:
    """The position of an expression, checked to have the same words where the entry states them."""
    expression_id, split, stated = str(plain_id(record['expression_id'])), record.get('split'), record.get('expression')
    splits = cases.positions.get(str(record['expression_id'])) or cases.positions.get(expression_id, {})
    if not splits or (split and split not in splits):
        of_split = f' of split {split}' if split else ''
        raise DataError(f'{where}: expression_id {expression_id!r:.100}{of_split} is not in the annotations {_sources(cases)}')
    if not split and len(splits) > 1:
        raise DataError(f'{where}: expression_id {expression_id!r:.100} is in the splits {", ".join(splits)}: '
                        "the field 'split' is needed")
    position = splits[split or next(iter(splits))]
    known = cases.annotations[position].expression
    if isinstance(stated, str) and stated.strip() and split_words(stated) != split_words(known):
        raise DataError(f'{where}: expression {cases.name(position)} reads {stated!r}, in the annotations {known!r}: '
                        'the predictions are of another annotation file')
    return position


def _sources(cases: Cases) -> str:
    return ', '.join(map(str, cases.paths))


def _read_box(record: Record, subject: str, kind: str, allow_no_box: bool) -> Sequence[float]:
    """Corners of a box; ``subject`` names file, line and expression in messages."""
    if 'box' not in record:
        raise DataError(f"{subject}: field 'box' is missing")
    box = record['box']
    if box is None or (isinstance(box, list) and any(isinstance(v, float) and not math.isfinite(v) for v in box)):
        if not allow_no_box:
            raise DataError(f'{subject} has the box {box}; --allow-no-box counts such expressions as misses')
        return [math.nan] * 4
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise DataError(f'{subject}: box must be four numbers, got {box!r}')
    x1, y1, x2, y2 = box if kind == 'xyxy' else [*box[:2], box[0] + box[2], box[1] + box[3]]
    if x2 < x1 or y2 < y1:
        problem = 'has a negative width or height' if kind == 'xywh' else \
            'must have x1 <= x2 and y1 <= y2; is it x, y, width, height (--boxes xywh)?'
        raise DataError(f'{subject}: box {box} {problem}')
    return x1, y1, x2, y2


def _read_number(record: Record, name: str, where: str) -> float:
    value = record.get(name)
    if value is None or value != value:
        return math.nan
    if not is_number(value):
        raise DataError(f'{where}: field {name!r} must be a number, got {value!r}')
    return float(value)


def _read_excluded(entries: Sequence[Entry], told: str | None) -> str:
    """The worst word of a file's entries about pre-training, or what the user told where they state nothing."""
    stated: dict[str, str] = {}
    for where, record in entries:
        word = record.get('pretrain_kept_out')
        if word is not None:
            if word not in EXCLUDED:
                raise DataError(f"{where}: field 'pretrain_kept_out' must be yes, no or unknown, got {word!r}")
            stated.setdefault(word, where)
    worst = min(stated, key=EXCLUDED.index, default='unknown')
    if told is not None and worst not in (told, 'unknown'):
        raise DataError(f'{stated[worst]}: says {worst} of images kept out of pre-training, --kept-out says {told}')
    return told or worst
