"""What every reader returns, and what readers share: boxes, names of images and of splits, errors that say where."""
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from mmduet.datasets.annotation_file import Annotation, Box, check_annotation, clean_expression
from mmduet.datasets.ids import plain_id
from mmduet.datasets.image_names import image_file_names, image_id_of, is_absolute, plain_name, same_image
from mmduet.io.errors import DataError
from mmduet.io.text import is_blank

# Of an image whose size a source does not say; read from the file when images are matched.
UNKNOWN_SIZE = 0
NO_SIZE = (UNKNOWN_SIZE, UNKNOWN_SIZE)
# Makes corners of the same box equal whatever layout they come from: x + width carries the noise of one addition.
BOX_DECIMALS = 6
_KINDS = {int: 'a whole number', str: 'text', list: 'a list', tuple: 'a tuple'}
_SPLITS = {name.lower(): name for name in ('train', 'val', 'trainval', 'test', 'testA', 'testB')} | {'validation': 'val'}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """An image that a source speaks of."""

    size: tuple[int, int]  # (width, height), pixels, as the source has them; ``NO_SIZE`` where it does not say
    file_names: tuple[str, ...]  # names the file may go by, the likeliest first
    boxes: list[Box] = field(default_factory=list)  # corners of every annotated object, the referred ones among them
    categories: list[str | None] = field(default_factory=list)  # class name of each box


@dataclass(slots=True, kw_only=True)
class SourceData:
    """Everything a source says, before anybody looked for its images; a reader adds images and expressions one by one."""

    files: list[Path] = field(default_factory=list)  # those that were read
    images: dict[int | str, SourceImage] = field(default_factory=dict)  # by image id
    # One per expression; ``image`` is only the likeliest file name, width and height may be ``UNKNOWN_SIZE``.
    annotations: list[Annotation] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)  # a sentence for each expression without words: nothing to ground
    unread: dict[str, str] = field(default_factory=dict)  # a sentence for each key of own data that nobody reads
    # Where each expression was first, by split and id, and where one came again.
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    repeated: dict[tuple[str, str], str] = field(default_factory=dict)
    about: dict[str, object] = field(default_factory=dict)  # what else the source says of itself, plain values
    layout: str = ''  # its name
    protocol: str = ''  # how several boxes of a phrase are scored (Flickr30K Entities); empty where a phrase has one box

    def add_image(self, file_name: str, size: tuple[int, int] = NO_SIZE, image_id: int | str | None = None,
                  by_number: Callable[[str], int | str] = image_id_of) -> int | str:
        """Note an image of (width, height) pixels, once, and return its id.

        Args:
            image_id: as the source has it; None where it has none.
            by_number: from the file name to the id of an image that has none. Where another image has that id, as the same
                number in another folder, the path is the id.

        Raises:
            DataError: the name is no text, the sizes are no whole numbers, or the id is neither or that of another image.
        """
        if not isinstance(file_name, str) or not file_name.strip():
            raise DataError(f'an image must have a file name, got {file_name!r}')
        derived = image_id is None
        image_id = plain_id(by_number(file_name) if image_id is None else image_id)
        if any(type(side) is not int or side < 0 for side in size):
            raise DataError(f'image {file_name}: width and height must be whole numbers, got {size}')
        if type(image_id) not in (int, str):
            raise DataError(f'image {file_name}: its id must be a whole number or text, got {image_id!r}')
        known = self.images.get(image_id)
        if known is not None and not same_image(known.file_names[0], file_name):
            if not derived:
                raise DataError(f'two images have the id {image_id!r}: {known.file_names[0]} and {file_name}')
            image_id = plain_name(file_name)
        if image_id not in self.images:
            self.images[image_id] = SourceImage(size=NO_SIZE if UNKNOWN_SIZE in size else size,
                                                file_names=image_file_names(file_name))
        return image_id

    def add(self, where: str, image_id: int | str, text: str, *, object_known: bool = False, **annotation: Any) -> None:
        """Note an expression; one without words is only counted.

        Args:
            where: file and line or record, for messages.
            object_known: whether its box is among the objects of its image already; otherwise it is added.
            annotation: the other fields of ``Annotation``: expression_id, box, split, and those that the source has.

        Raises:
            DataError: the expression is no text, or another field holds what no annotation can hold; says where.
        """
        if not isinstance(text, str):
            raise DataError(f'{where}: the expression must be text, got {text!r}')
        text = clean_expression(text)
        if is_blank(text):
            self.blank.append(f'{where}: expression {annotation["expression_id"]} is blank')
            return
        image, box = self.images[image_id], annotation['box']
        # The name in the folder is found when images are matched; one of another machine may begin at the root of its disk.
        name = image.file_names[0]
        if is_absolute(name):
            name = PureWindowsPath(name).name or name
        annotation.update(image=name, image_id=image_id, expression=text)
        width, height = image.size
        # Sizes may be read from the images later.
        check_annotation({**annotation, 'width': width or 1, 'height': height or 1}, where)
        key = annotation['split'], annotation['expression_id']
        if key in self.places:
            self.repeated.setdefault(key, where)
        self.places.setdefault(key, where)
        self.annotations.append(Annotation(width=width, height=height, **annotation))
        if not object_known and box is not None and box not in image.boxes:
            image.boxes.append(box)
            image.categories.append(annotation.get('category'))


def get_field(record: Any, name: str, where: str, *kinds: type) -> Any:
    """A field of a record, of one of ``kinds`` (``int``, ``str``, ``list``, ``tuple``) where any are named; True is no ``int``.

    Raises:
        DataError: the record is no mapping, or the field is missing or of another kind; says where.
    """
    if not isinstance(record, dict) or name not in record:
        raise DataError(f'{where}: field {name!r} is missing')
    value = record[name]
    if kinds and type(value) not in kinds:
        raise DataError(f'{where}: field {name!r} must be {" or ".join(_KINDS[kind] for kind in kinds)}, got {value!r:.60}')
    return value


def _four_numbers(box: Any, names: str, where: str, field: str) -> tuple[float, float, float, float]:
    try:
        a, b, c, d = (float(value) for value in box)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f'{where}: {field} must be four numbers {names}, got {box!r}') from error
    if not all(abs(value) < 1e9 for value in (a, b, c, d)):
        raise DataError(f'{where}: {field} must be finite, got {box!r}')
    return a, b, c, d


def corners_of_xywh(box: Any, where: str) -> Box:
    """(x, y, width, height) to corners; a ``DataError`` says where they are no finite numbers or a size is negative."""
    x, y, width, height = _four_numbers(box, 'x, y, width, height', where, 'bbox')
    if width < 0 or height < 0:
        raise DataError(f'{where}: bbox has a negative size: {box!r}; it must be x, y, width, height')
    return round(x, BOX_DECIMALS), round(y, BOX_DECIMALS), round(x + width, BOX_DECIMALS), round(y + height, BOX_DECIMALS)


def corners_of_xyxy(box: Any, where: str, field: str = 'bbox') -> Box:
    """(x1, y1, x2, y2) of a ``field``, rounded; a ``DataError`` says where they are no finite numbers."""
    x1, y1, x2, y2 = _four_numbers(box, 'x1, y1, x2, y2', where, field)
    return round(x1, BOX_DECIMALS), round(y1, BOX_DECIMALS), round(x2, BOX_DECIMALS), round(y2, BOX_DECIMALS)


def split_of_name(stem: str) -> str | None:
    """The split that a file's name ends in, as ``REC_refcoco_unc_testA``; None where it ends in none."""
    return _SPLITS.get(re.split(r'[_\-.]', stem)[-1].lower())


def split_of_word(word: Any, where: str) -> str:
    """A split as sources call it (``validation``, ``testa``) by our name; a ``DataError`` says where it is blank or no text."""
    if not isinstance(word, str) or not word.strip():
        raise DataError(f'{where}: the split must be a word such as train or val, got {word!r}')
    word = word.strip()
    return _SPLITS.get(word.lower(), word)
