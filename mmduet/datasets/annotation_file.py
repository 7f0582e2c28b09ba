"""The canonical annotation file: one JSON object per line, one line per expression."""
import json
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.io.errors import AnnotationError, DataError
from mmduet.io.files import checked_name, open_regular, sha256_of, stays_inside
from mmduet.io.text import counted, half_character, is_blank

Box = tuple[float, float, float, float]
NO_BOX = (math.nan, ) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One expression and the box it refers to; boxes are official corners (x1, y1, x2, y2), pixels of the file, 0-based."""

    expression_id: str  # unique over its split
    image: str  # file name relative to the image directory
    image_id: int | str  # the image's number or name in its data set
    width: int  # of the image file, pixels, EXIF rotation ignored
    height: int
    expression: str  # the words, not blank
    box: Box | None  # may stick out of the image; None where the expression is true of nothing, which evaluation alone takes
    split: str  # 'train', 'val', 'testA', ...
    ref_id: int | str | None = None  # ids of the referred object, None where the source has none
    ann_id: int | str | None = None
    category: str | None = None  # name of the object's class
    kind: str | None = None  # sort of expression (RefShapes: attribute, superlative, relation), by which evaluation reports
    boxes: tuple[Box, ...] | None = None  # several that are all right (Flickr30K Entities, protocol *any*)


_TEXT, _ID = ((str, ), 'text'), ((int, str), 'a whole number or text')
_SIZE = ((int, ), 'a positive whole number')
_TEXT_OR_NULL, _ID_OR_NULL = ((str, type(None)), 'text or null'), ((int, str, type(None)), 'a whole number, text or null')
# Types of each field but the boxes, and how a message says them.
_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    'expression_id': _TEXT, 'image': _TEXT, 'image_id': _ID, 'width': _SIZE, 'height': _SIZE, 'expression': _TEXT,
    'split': _TEXT, 'category': _TEXT_OR_NULL, 'kind': _TEXT_OR_NULL, 'ref_id': _ID_OR_NULL, 'ann_id': _ID_OR_NULL,
}
REQUIRED = ('expression_id', 'image', 'image_id', 'width', 'height', 'expression', 'box', 'split')
# Of a side; more is no image.
MOST_PIXELS = 2**31
_NUMBERS, _MOST = (int, float), sys.float_info.max
OBJECTS = 'objects'
# Left out of a line where they are None.
RARE = ('kind', 'boxes')
KNOWN = tuple(field.name for field in fields(Annotation))


def clean_expression(text: str) -> str:
    """Strip the text and make every run of white space one blank; the case is the tokenizer's matter."""
    return ' '.join(text.split())


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number; whole ones that no float can hold are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _name_problem(image: str, split: str) -> tuple[str, str] | None:
    """As ``_problem``, of the names that become those of files: both may come from anywhere."""
    if not stays_inside(image):
        return 'image', f'must be a file inside the folder of the images, got {image!r:.80}'
    problem = _split_problem(split)
    return None if problem is None else ('split', problem)


@lru_cache(maxsize=256)
def _split_problem(split: str) -> str | None:
    try:
        checked_name(split, 'it')
    except DataError as error:
        return str(error).removeprefix('it ')
    taken = split.casefold() == OBJECTS
    return 'must be another word: annotations/objects.jsonl holds the boxes of all objects' if taken else None


def _problem(record: dict[str, Any]) -> tuple[str, str] | None:
    """The first field that is wrong, and what is wrong with it; None for a good record."""
    for name in REQUIRED:
        if name not in record:
            return name, 'is missing'
    for name, (kinds, words) in _FIELDS.items():
        value: Any = record.get(name)
        if type(value) not in kinds or (kinds == (int, ) and not 1 <= value <= MOST_PIXELS):
            return name, f'must be {words}, got {value!r}'
        if type(value) is str and not value.isascii() and (half := half_character(value)):
            return name, f'holds half a character, {half!a}: {value!a:.80}'
        if kinds == (str, ) and not value[:1].isalnum() and is_blank(value):
            unseen = f': it has only characters that nobody sees, {value!a:.80}' if value.strip() else ''
            return name, f'is blank{unseen}'
    if name_problem := _name_problem(record['image'], record['split']):
        return name_problem
    if record['box'] is not None and (problem := box_problem(record['box'])):
        return 'box', problem
    boxes = record.get('boxes')
    if boxes is None:
        return None
    if not isinstance(boxes, list | tuple) or not boxes:
        return 'boxes', f'must be null or a list of boxes, got {boxes!r}'
    return next((('boxes', problem) for box in boxes if (problem := box_problem(box))), None)


def box_problem(box: Any) -> str | None:
    """What is wrong with the corners of a box; None for a good one."""
    if type(box) is list and len(box) == 4:  # a good one is known at once: a data set has a quarter of a million
        x1, y1, x2, y2 = box
        if (type(x1) in _NUMBERS and type(y1) in _NUMBERS and type(x2) in _NUMBERS and type(y2) in _NUMBERS
                and -_MOST <= x1 <= x2 <= _MOST and -_MOST <= y1 <= y2 <= _MOST):
            return None
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(is_number(value) for value in box):
        return f'must be four finite numbers x1, y1, x2, y2, got {box!r}'
    if box[2] < box[0] or box[3] < box[1]:
        return f'must have x1 <= x2 and y1 <= y2, got {box!r}; is it x, y, width, height?'
    return None


def check_annotation(record: dict[str, Any], where: str) -> None:
    """Raise an ``AnnotationError`` that says where and which field, unless the fields are those of a good annotation."""
    if problem := _problem(record):
        raise AnnotationError(f'{where}: field {problem[0]!r} {problem[1]}')


def annotation_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """``file:line`` and content of the lines of a file that are not blank; an ``AnnotationError`` where there is no file."""
    try:
        with open_regular(path, sys.maxsize) as file:
            yield from ((f'{path}:{number}', line) for number, line in enumerate(file, 1) if line.strip())
    except FileNotFoundError as error:
        raise AnnotationError(f'{path} does not exist; mmduet prepare makes it') from error
    except OSError as error:
        raise AnnotationError(f'{path} cannot be read: {error.strerror}') from error


def parse_annotation(line: str | bytes, where: str) -> Annotation:
    """Read one line.

    Args:
        line: a JSON object; fields that are not ours are ignored.
        where: ``file:line``, for the message.

    Raises:
        AnnotationError: the line does not parse, lacks a field or holds an impossible value; says where and which field.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f'{where}: not valid JSON: {error}') from error
    if not isinstance(record, dict):
        raise AnnotationError(f'{where}: must be a JSON object, got {type(record).__name__}')
    check_annotation(record, where)
    known = {name: record[name] for name in KNOWN if name in record}
    if record['box'] is not None:
        known['box'] = tuple(float(value) for value in record['box'])
    if known.get('boxes') is not None:
        known['boxes'] = tuple(tuple(float(value) for value in box) for box in known['boxes'])
    known['expression'] = clean_expression(record['expression'])
    return Annotation(**known)


def write_annotations(path: str | Path, annotations: Iterable[Annotation]) -> int:
    """Write one line per annotation and return how many there were."""
    count = 0
    with Path(path).open('w', encoding='utf-8') as file:
        for annotation in annotations:
            record = {name: value for name, value in asdict(annotation).items() if name not in RARE or value is not None}
            file.write(json.dumps(record, ensure_ascii=False) + '\n')
            count += 1
    return count


class AnnotationStore(Sequence[Annotation]):
    """All annotations of some files, checked once and kept as the bytes of their lines.

    120,000 expressions take 40 MB in one buffer that worker processes share, instead of gigabytes of copied objects.

    Args:
        paths: annotation files, read in this order.
        first: only so many expressions of each file, from its beginning; None for all.

    Attributes:
        boxes: (n, 4) official corners, pixels; nan where there is no target.
        sizes: (n, 2) width and height of each image, pixels.
        hashes: SHA-256 of the whole file of each split, hexadecimal: what was computed from other annotations is told by it.

    Raises:
        AnnotationError: a file is missing or empty, has fewer than ``first`` expressions, a line is wrong, or an expression
            id occurs twice in a split.
    """

    def __init__(self, paths: Sequence[str | Path], first: int | None = None) -> None:
        if first is not None and (type(first) is not int or first < 1):
            raise AnnotationError(f'first must be a positive whole number of expressions, got {first!r}')
        # Arrays and one buffer from the start: lists of objects would take three times the memory while a file is read.
        content, ends, boxes, sizes = bytearray(), array('q', [0]), array('d'), array('q')
        seen: set[tuple[str, str]] = set()
        self.hashes: dict[str, str] = {}
        for path in map(Path, paths):
            before, splits = len(ends), set[str]()
            for where, line in islice(annotation_lines(path), first):
                annotation = parse_annotation(line, where)
                key = (sys.intern(annotation.split), annotation.expression_id)
                if key in seen:
                    raise AnnotationError(f"{where}: field 'expression_id' repeats {key[1]!r} of split {key[0]!r}")
                seen.add(key)
                splits.add(annotation.split)
                content += line.removesuffix(b'\n')
                ends.append(len(content))
                boxes.extend(annotation.box or NO_BOX)
                sizes.extend((annotation.width, annotation.height))
            if len(ends) == before:
                raise AnnotationError(f'{path} is empty: it holds no expression')
            if first is not None and len(ends) - before < first:
                raise AnnotationError(f'{path} holds {counted(len(ends) - before, "expression")}, fewer than the first {first} '
                                      'that the config asks for: train_dataloader.dataset.first=None takes all')
            self.hashes.update(dict.fromkeys(splits, sha256_of(path)))
        self.boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        self.sizes = np.array(sizes, dtype=np.int64).reshape(-1, 2)
        self._buffer = np.frombuffer(content, dtype=np.uint8)
        self._ends = np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int | slice) -> Any:  # an ``Annotation``, or a list of them
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        if not -len(self) <= index < len(self):
            raise IndexError(f'expression {index} of {len(self)}')
        index %= len(self)
        line = self._buffer[self._ends[index]:self._ends[index + 1]].tobytes()
        return parse_annotation(line, f'expression {index}')


def read_annotations(path: str | Path) -> list[Annotation]:
    """All annotations of one file; the errors are those of ``AnnotationStore``."""
    return list(AnnotationStore([path]))
