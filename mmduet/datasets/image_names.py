"""Names of images: which file of a folder a name means, and when two names mean the same image.

Names come from other machines: with backslashes, absolute, with the folder before them, in another Unicode form or in other
capitals. One photo must never stand for another, so a name that fits two different files is an error.
"""
import difflib
import filecmp
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from mmduet.io.errors import DataError
from mmduet.io.files import is_hidden
from mmduet.io.image_archives import is_archive, open_archive, read_inside

# Folders inside folders that are looked through.
DEPTH = 8
_COCO_NAME = re.compile(r'(?:COCO_(?P<release>(?:train|val|test)\d{4})_)?(?P<number>\d{12})\.jpg')
_COCO_FOLDER = re.compile(r'.*coco.*|images|(?:train|val|test|unlabeled|trainval)(?:2014|2015|2017)', re.IGNORECASE)
_IMAGE_NUMBER = re.compile(r'(?:COCO_(?:train|val|test)\d{4}_)?(\d+)\.(?:jpe?g|png)', re.IGNORECASE)
_NUMBERED = re.compile(r'\d\.\w+$')
_CLOSE = 0.8
# Of names compared letter by letter, for a hint.
_MOST_COMPARED = 20_000


def plain_name(name: str) -> str:
    """A name as a path with slashes, without what says nothing: blanks around it, ``./``, doubled slashes, ``file://``.

    >>> plain_name('.\\\\kitchen\\\\01.jpg'), plain_name(' a//b.jpg ')
    ('kitchen/01.jpg', 'a/b.jpg')
    """
    path = name.strip().removeprefix('file://').replace('\\', '/')
    start = '/' if path.startswith('/') else ''
    return start + '/'.join(part for part in path.split('/') if part not in ('', '.'))


def is_absolute(name: str) -> bool:
    """Whether a name begins at the root of a disk, on any system.

    >>> is_absolute('/data/a.jpg'), is_absolute('C:\\\\a.jpg'), is_absolute('a/b.jpg')
    (True, True, False)
    """
    return bool(PureWindowsPath(name).anchor)


def is_of_coco(file_name: str) -> bool:
    """Whether a name is one that COCO gives, by itself or in one of COCO's folders: its number tells the image anywhere.

    Twelve digits in another folder are a camera's: they begin anew in each folder.

    >>> is_of_coco('train2017/000000000025.jpg'), is_of_coco('siteA/000000000025.jpg')
    (True, False)
    """
    path = PurePosixPath(plain_name(file_name))
    match = _COCO_NAME.fullmatch(path.name)
    return match is not None and (match['release'] is not None or not path.parent.name
                                  or _COCO_FOLDER.fullmatch(path.parent.name) is not None)


def image_id_of(file_name: str) -> int | str:
    """The number in the name of an image of COCO, IAPR TC-12 or Flickr30k; any other name is its own id."""
    match = _IMAGE_NUMBER.fullmatch(PurePosixPath(plain_name(file_name)).name)
    return int(match[1]) if match else plain_name(file_name)


def image_id_of_coco(file_name: str) -> int | str:
    """The number in the name of an image of COCO; any other name is its own id."""
    return image_id_of(file_name) if is_of_coco(file_name) else plain_name(file_name)


def image_file_names(file_name: str) -> tuple[str, ...]:
    """Names an image goes by: the source's own and, for COCO, those of the 2014 and of the 2017 release, in any folder."""
    names = [file_name]
    if is_of_coco(file_name):
        name = PurePosixPath(plain_name(file_name)).name
        match = _COCO_NAME.fullmatch(name)
        assert match is not None
        bare = f'{match["number"]}.jpg'
        names += [name, bare] if match['release'] else [name, f'COCO_train2014_{bare}', f'COCO_val2014_{bare}']
    return tuple(dict.fromkeys(names))


def same_image(first: str, second: str) -> bool:
    """Whether two names are of one image: equal paths, or COCO's names of one number, of which one may have no release.

    >>> same_image('COCO_train2014_000000000005.jpg', 'train2017/000000000005.jpg'), same_image('a/1.jpg', 'b/1.jpg')
    (True, False)
    """
    if plain_name(first) == plain_name(second):
        return True
    if not is_of_coco(first) or not is_of_coco(second):
        return False
    one, other = (_COCO_NAME.fullmatch(PurePosixPath(plain_name(name)).name) for name in (first, second))
    assert one is not None and other is not None
    return one['number'] == other['number'] and (one['release'] == other['release'] or None in (one['release'],
                                                                                                  other['release']))


def _spelling(name: str) -> str:
    """What is left of a name when Unicode's form, capitals and the escapes of addresses do not count."""
    return unicodedata.normalize('NFC', unquote(plain_name(name))).casefold()


class ImageIndex:
    """The files of a folder, or a zip or tar of one, by path, by bare name and by spelling; a ``DataError`` if there is none.

    Files and folders whose names begin with a dot, and what macOS puts into archives, are passed over.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir() and not is_archive(folder):
            raise DataError(f'the image folder {folder} does not exist')
        self.folder = folder
        found = _walk(folder, '', DEPTH, set()) if folder.is_dir() else _list(folder)
        self.paths: dict[str, None] = dict.fromkeys(sorted(found, key=lambda p: (p.count('/'), p)))
        self._by_name: dict[str, list[str]] = {}
        for path in self.paths:
            self._by_name.setdefault(path.rpartition('/')[2], []).append(path)
        self._by_spelling: dict[str, list[str]] | None = None

    def find(self, names: str | Sequence[str]) -> str | None:
        """Path relative to the folder of the one file that a name, or the first that fits of several, means; None for none.

        Raises:
            DataError: two different files fit it; names both.
        """
        names = [names] if isinstance(names, str) else names
        for look in (self._by_path, self._by_bare_name, self._by_letters):
            for name in names:
                if found := look(name):
                    return self._only(name, found)
        return None

    def nearest(self, name: str) -> str:
        """A hint at files of a similar name: the same in another folder or with another end; empty where there is none."""
        bare = PurePosixPath(plain_name(name)).name
        stem = _spelling(bare).rpartition('.')[0]
        near = [path for spelled, paths in self._spelled().items() if '/' not in spelled and spelled.rpartition('.')[0] == stem
                for path in paths]
        # Neighbouring numbers are neighbours in spelling alone.
        if not near and not _NUMBERED.search(bare) and len(self._by_name) <= _MOST_COMPARED:
            close = difflib.get_close_matches(bare, self._by_name, n=2, cutoff=_CLOSE)
            near = [path for found in close for path in self._by_name[found]]
        return f'; nearest: {", ".join(near[:3])}' if near else ''

    def _by_path(self, name: str) -> list[str]:
        return [path for path in self._ways(name) if path in self.paths][:1]

    def _by_bare_name(self, name: str) -> list[str]:
        path = plain_name(name)
        return [] if '/' in path else self._by_name.get(path, [])

    def _by_letters(self, name: str) -> list[str]:
        """Files whose names differ in Unicode's form, capitals or escapes alone."""
        return next((found for way in self._ways(name) if (found := self._spelled().get(_spelling(way)))), [])

    def _ways(self, name: str) -> Iterator[str]:
        """The path itself, without blanks and other separators, and what follows the folder's own name in it."""
        yield name
        path = plain_name(name)
        if not is_absolute(path):
            yield path
        parts = path.split('/')
        for own in dict.fromkeys((self.folder.name, self.folder.resolve().name)):
            yield from ('/'.join(parts[place + 1:]) for place, part in enumerate(parts[:-1]) if part == own)

    def _spelled(self) -> dict[str, list[str]]:
        """Paths by their spelling and by that of their bare names, made when it is first needed."""
        if self._by_spelling is None:
            self._by_spelling = {}
            for path in self.paths:
                for name in dict.fromkeys((path, path.rpartition('/')[2])):
                    self._by_spelling.setdefault(_spelling(name), []).append(path)
        return self._by_spelling

    def _only(self, name: str, found: Sequence[str]) -> str:
        first, *others = found
        for other in others:
            if not _are_equal(self.folder / first, self.folder / other):
                raise DataError(f'image {name} is ambiguous: {first} and {other} in {self.folder} are different files; '
                                'write the path of the one that is meant')
        return first


def _are_equal(first: Path, second: Path) -> bool:
    if first.is_file():
        return filecmp.cmp(first, second, shallow=False)
    return read_inside(first) == read_inside(second)


def _list(archive: Path) -> Iterator[str]:
    return (name for name in open_archive(archive) if not any(map(is_hidden, name.split('/'))))


def _walk(folder: Path, prefix: str, depth: int, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Paths of files relative to the first folder; links are followed, but into no folder twice on a way."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    for entry in os.scandir(folder):
        if is_hidden(entry.name):
            continue
        if not entry.is_dir():
            yield prefix + entry.name
        elif depth > 1:
            inner = seen | {(status.st_dev, status.st_ino)}
            yield from _walk(Path(entry.path), f'{prefix}{entry.name}/', depth - 1, inner)
