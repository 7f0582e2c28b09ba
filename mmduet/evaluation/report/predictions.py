"""Predictions of any system, from JSON lines, JSON or CSV, brought into the order of the expressions."""
import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.datasets.annotation_file import is_number
from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.words import split_words
from mmduet.io.errors import DataError
from mmduet.io.files import sha256_of

Floats = NDArray[np.float64]
FORMATS = ('xyxy', 'xywh')
CORNERS, SIZES = ('x1', 'y1', 'x2', 'y2'), (('x', 'y', 'w', 'h'), ('x', 'y', 'width', 'height'))
NAMED = 3
# Whether pre-training saw none of the images, from the worst word to the best; a file is as good as its worst line.
KEPT_OUT = ('no', 'unknown', 'yes')
UNKNOWN = KEPT_OUT[1]
# Photos are larger than this, so that boxes which all fit into it are fractions.
UNIT = 1.0


class PredictionError(DataError):
    """A file of predictions cannot be read, or is not about these annotations; the message names file, line and id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What one system answered.

    Attributes:
        name: of the system.
        path: of its file.
        sha256: of its file, hexadecimal.
        boxes: (n, 4) corners in pixels, in the order of the expressions; nan where the system gave no box.
        scores: (n,) its confidence; nan where it said none.
        recorded: (n,) the IoU that the file says; nan where it says none.
        kept_out: whether pre-training saw none of the images it is tested on: yes, no or unknown.
    """

    name: str
    path: Path
    sha256: str
    boxes: Floats
    scores: Floats
    recorded: Floats
    kept_out: str = UNKNOWN


@dataclass(frozen=True, slots=True)
class _Entry:
    where: str
    content: Any


def read_predictions(path: Path, cases: Cases, name: str, box_format: str | None = None,
                     allow_no_box: bool = False, kept_out: str | None = None) -> Predictions:
    """Read one file.

    Args:
        path: ``.jsonl`` as ``tools/test.py`` writes it; ``.json``, a list of the same objects; either also with one plain
            box per expression, in the order of the annotations; or ``.csv``: four numbers per row in that order, or columns
            ``expression_id`` and ``x1,y1,x2,y2`` or ``x,y,w,h``.
        cases: the expressions.
        name: of the system.
        box_format: ``'xyxy'`` or ``'xywh'``, in pixels. Must be given for plain boxes; objects are xyxy where None.
        allow_no_box: take null and nan for "no box found", which is a miss, instead of refusing them.
        kept_out: what the user says of pre-training, for a file that does not say it.

    Raises:
        PredictionError: see there.
    """
    try:
        content = path.read_bytes()
        text = content.decode('utf-8-sig')
    except FileNotFoundError as error:
        raise PredictionError(f'{path} does not exist') from error
    except UnicodeDecodeError as error:
        raise PredictionError(f'{path} is no text in UTF-8: {error}') from error
    readers = {'.jsonl': _json_lines, '.json': _json_list, '.csv': _csv_rows}
    if path.suffix.lower() not in readers:
        raise PredictionError(f'{path}: the name must end in {", ".join(readers)}')
    entries = list(readers[path.suffix.lower()](path, text))
    if not entries:
        raise PredictionError(f'{path} is empty: it holds no prediction')
    reader = _Reader(path, cases, box_format, allow_no_box)
    boxes, scores, recorded = reader.read(entries)
    return Predictions(name=name, path=path, sha256=sha256_of(content), boxes=boxes, scores=scores,
                       recorded=recorded, kept_out=_read_kept_out(entries, kept_out))


def _read_kept_out(entries: Sequence[_Entry], told: str | None) -> str:
    """The worst word of a file's entries, or what the user told where they say nothing.

    Raises:
        PredictionError: an entry says another word, or the user tells another than the file says.
    """
    said: dict[str, str] = {}
    for entry in entries:
        word = entry.content.get('pretrain_kept_out') if isinstance(entry.content, dict) else None
        if word is not None:
            if word not in KEPT_OUT:
                raise PredictionError(f"{entry.where}: field 'pretrain_kept_out' must be yes, no or unknown, got {word!r}")
            said.setdefault(word, entry.where)
    if not said:
        return told or UNKNOWN
    worst = min(said, key=KEPT_OUT.index)
    if told is not None and told != worst and worst != UNKNOWN:
        raise PredictionError(f'{said[worst]}: says {worst} of images kept out of pre-training, --kept-out says {told}')
    return told or worst


def _json_lines(path: Path, text: str) -> Iterator[_Entry]:
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            yield _Entry(f'{path}:{number}', _parse_json(line, f'{path}:{number}'))


def _json_list(path: Path, text: str) -> Iterator[_Entry]:
    content = _parse_json(text, str(path))
    if not isinstance(content, list):
        raise PredictionError(f'{path}: must be a list of boxes or of objects, got {type(content).__name__}')
    for number, entry in enumerate(content, 1):
        yield _Entry(f'{path}: entry {number}', entry)


def _parse_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PredictionError(f'{where}: not valid JSON: {error}') from error


def _csv_rows(path: Path, text: str) -> Iterator[_Entry]:
    rows = csv.reader(text.splitlines())
    header: list[str] | None = None
    for row in rows:
        where = f'{path}:{rows.line_num}'
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = [cell.strip().lower() for cell in row] if not _is_number(row[0]) or 'expression_id' in row else []
            if header:
                _check_header(header, where)
                continue
        cells = [cell.strip() for cell in row]
        if not header:
            yield _Entry(where, [_to_number(cell, where) for cell in cells])
            continue
        if len(cells) != len(header):
            raise PredictionError(f'{where}: has {len(cells)} cells, the header has {len(header)}')
        yield _Entry(where, _record_of_row(dict(zip(header, cells, strict=True)), where))


def _check_header(header: Sequence[str], where: str) -> None:
    if not any(set(names) <= set(header) for names in (CORNERS, *SIZES)):
        raise PredictionError(f'{where}: the header must have x1,y1,x2,y2 or x,y,w,h, got {",".join(header)}')


def _record_of_row(row: dict[str, str], where: str) -> Any:
    names = next(names for names in (CORNERS, *SIZES) if set(names) <= row.keys())
    box = [_to_number(row[name], where) for name in names]
    record: dict[str, Any] = {'box': box, 'box_format': 'xyxy' if names == CORNERS else 'xywh'}
    record.update({name: row[name] for name in ('expression_id', 'split', 'expression', 'pretrain_kept_out') if row.get(name)})
    record.update({name: _to_number(row[name], where) for name in ('score', 'iou') if row.get(name)})
    return record


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _to_number(cell: str, where: str) -> float:
    if not cell:
        return math.nan
    if not _is_number(cell):
        raise PredictionError(f'{where}: {cell!r} is not a number')
    return float(cell)


class _Reader:
    """Checks entries one by one and puts each in the place of its expression."""

    def __init__(self, path: Path, cases: Cases, box_format: str | None, allow_no_box: bool) -> None:
        self.path, self.cases, self.box_format, self.allow_no_box = path, cases, box_format, allow_no_box
        keys = [(annotation.split, annotation.expression_id) for annotation in cases.annotations]
        self.places = {key: place for place, key in enumerate(keys)}
        self.splits: dict[str, list[str]] = {}
        for split, expression_id in keys:
            self.splits.setdefault(expression_id, []).append(split)

    def read(self, entries: Sequence[_Entry]) -> tuple[Floats, Floats, Floats]:
        """(n, 4) boxes, (n,) scores and (n,) recorded IoUs in the order of the expressions; NaN where an entry has none.

        Raises:
            PredictionError: an entry is wrong, answers an expression twice or one that is not there, or one is missing.
        """
        count = len(self.cases)
        keyed = [isinstance(entry.content, dict) and 'expression_id' in entry.content for entry in entries]
        if not all(keyed) and any(keyed):
            odd = entries[keyed.index(not keyed[0])]
            raise PredictionError(f'{odd.where}: some entries have an expression_id and some have none')
        if not keyed[0] and len(entries) != count:
            raise PredictionError(f'{self.path} holds {len(entries)} boxes without expression_id, the annotations '
                                  f'{_names(self.cases.paths)} hold {count} expressions: one box for each is needed, in their '
                                  'order')
        boxes, scores, recorded = np.full((count, 4), np.nan), np.full(count, np.nan), np.full(count, np.nan)
        seen: dict[int, str] = {}
        for number, entry in enumerate(entries):
            place = self._find(entry) if keyed[0] else number
            if place in seen:
                raise PredictionError(f'{entry.where}: expression {self._id(place)} was already answered at {seen[place]}')
            seen[place] = entry.where
            record = entry.content if isinstance(entry.content, dict) else {'box': entry.content}
            boxes[place] = self._box(record, entry.where, place, plain=not isinstance(entry.content, dict))
            scores[place] = self._figure(record, 'score', entry.where)
            recorded[place] = self._figure(record, 'iou', entry.where)
        missing = [self._id(place) for place in range(count) if place not in seen]
        if missing:
            raise PredictionError(f'{self.path}: {len(missing)} of {count} expressions have no prediction, such as '
                                  f'{", ".join(missing[:NAMED])}; the annotations are {_names(self.cases.paths)}')
        self._check_pixels(boxes)
        return boxes, scores, recorded

    def _find(self, entry: _Entry) -> int:
        """The place of an entry's expression, checked to have the same words where the entry says them."""
        expression_id, split = str(entry.content['expression_id']), entry.content.get('split')
        splits = self.splits.get(expression_id, [])
        if not splits or (split and split not in splits):
            of_split = f' of split {split}' if split else ''
            raise PredictionError(f'{entry.where}: expression_id {expression_id!r}{of_split} is not in the annotations '
                                  f'{_names(self.cases.paths)}')
        if not split and len(splits) > 1:
            raise PredictionError(f'{entry.where}: expression_id {expression_id!r} is in the splits {", ".join(splits)}: '
                                  "the field 'split' is needed")
        place = self.places[split or splits[0], expression_id]
        said, known = entry.content.get('expression'), self.cases.annotations[place].expression
        if isinstance(said, str) and said.strip() and split_words(said) != split_words(known):
            raise PredictionError(f'{entry.where}: expression {self._id(place)} reads {said!r}, in the annotations {known!r}: '
                                  'the predictions are of another annotation file')
        return place

    def _box(self, record: dict[str, Any], where: str, place: int, plain: bool) -> Any:
        box, told = record.get('box'), record.get('box_format')
        if told and self.box_format and told != self.box_format:
            raise PredictionError(f'{where}: the columns are {told}, --boxes says {self.box_format}')
        box_format = told or self.box_format or ('xyxy' if not plain else None)
        if box_format not in FORMATS:
            raise PredictionError(f'{self.path}: plain boxes need --boxes xyxy (corners) or --boxes xywh (corner and size)')
        if 'box' not in record:
            raise PredictionError(f"{where}: expression {self._id(place)}: field 'box' is missing")
        if box is None or (isinstance(box, list) and any(isinstance(v, float) and not math.isfinite(v) for v in box)):
            if self.allow_no_box:
                return [math.nan] * 4
            raise PredictionError(f'{where}: expression {self._id(place)} has the box {box}; --allow-no-box counts such '
                                  'expressions as misses')
        if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
            raise PredictionError(f'{where}: expression {self._id(place)}: box must be four numbers, got {box!r}')
        if box_format == 'xywh':
            if box[2] < 0 or box[3] < 0:
                raise PredictionError(f'{where}: expression {self._id(place)}: box {box} has a negative width or height')
            return [box[0], box[1], box[0] + box[2], box[1] + box[3]]
        if box[2] < box[0] or box[3] < box[1]:
            raise PredictionError(f'{where}: expression {self._id(place)}: box {box} must have x1 <= x2 and y1 <= y2; is it '
                                  'x, y, width, height (--boxes xywh)?')
        return box

    def _figure(self, record: dict[str, Any], name: str, where: str) -> float:
        value = record.get(name)
        if value is None or value != value:
            return math.nan
        if not is_number(value):
            raise PredictionError(f'{where}: field {name!r} must be a number, got {value!r}')
        return float(value)

    def _check_pixels(self, boxes: Floats) -> None:
        known = boxes[~np.isnan(boxes[:, 0])]
        if len(known) and known.max() <= UNIT:
            raise PredictionError(f'{self.path}: all boxes lie between 0 and 1: pixels of the image are needed, not fractions')

    def _id(self, place: int) -> str:
        annotation = self.cases.annotations[place]
        return annotation.expression_id if len(self.splits[annotation.expression_id]) == 1 else \
            f'{annotation.expression_id} of {annotation.split}'


def _names(paths: Sequence[Path]) -> str:
    return ', '.join(map(str, paths))
