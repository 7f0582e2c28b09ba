"""A data set by name, the layouts it comes in, and whether a file says by its name that it is of another."""
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmduet.datasets.readers.source_data import SourceData
from mmduet.datasets.readers.source_files import SourceFiles, open_source
from mmduet.io.errors import DataError

_FAMILY = re.compile(r'(?<![a-z])(?P<family>refcoco(?:\+|plus|p|g)?|referit(?:game)?|refclef|flickr(?:30k)?)(?![a-z])'
                     r'(?:[-_ ]?(?P<split_by>unc|umd|google|berkeley|merged|any))?', re.IGNORECASE)
_FAMILIES = {'refcocoplus': 'refcoco+', 'refcocop': 'refcoco+', 'referitgame': 'referit', 'refclef': 'referit',
             'flickr': 'flickr30k'}
_INDEX_KEYS = ('unc', 'unc+', 'gref', 'gref_umd', 'referit', 'flickr')

# Images, references and expressions by split; None where nobody published the number.
Published = Mapping[str, tuple[int | None, int | None, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One form of annotations."""

    files: str  # what it consists of, in words
    find: Callable[[SourceFiles, 'DatasetSpec'], list[Path]]  # the files of a data set in it; empty where the source has none
    # Adds what stands in the files that were found; a ``DataError`` names file and line, record or field.
    read: Callable[[SourceData, SourceFiles, 'DatasetSpec'], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set by name."""

    name: str
    layouts: Mapping[str, Layout]  # those that it comes in, by name
    family: str = ''  # 'refcoco', 'refcoco+', 'refcocog', 'referit' or 'flickr30k'; empty where names of files say nothing
    split_by: str = ''  # who made the splits; empty where there is only one way
    index_key: str = ''  # what the TransVG family's index files call it
    published: Published = field(default_factory=dict)  # empty where the numbers vary
    published_in: Mapping[str, Published] = field(default_factory=dict)  # of layouts that hold other numbers than published
    collection: str = ''  # where the images come from; two data sets of one collection can share images
    protocols: tuple[str, ...] = ()  # ways to score a phrase of several boxes, the default first; empty where it has one
    shares_images: bool = False  # whether the splits share images by design
    warning: str = ''  # what to know before comparing scores; empty where nothing is odd

    def published_for(self, layout: str) -> Published:
        """The counts that a source of this layout should have."""
        return self.published_in.get(layout, self.published)

    def accepts(self, path: Path, root: Path) -> bool:
        """Whether neither the file's name nor that of a folder up to ``root`` says that it is of another data set."""
        spoken = _FAMILY.search(path.name)
        for folder in path.parents:
            if folder.is_relative_to(root):
                spoken = spoken or _FAMILY.fullmatch(folder.name)
        if spoken is None or not self.family:
            return True
        family = spoken['family'].lower()
        split_by = (spoken['split_by'] or self.split_by).lower()
        return _FAMILIES.get(family, family) == self.family and split_by in (self.split_by, 'merged', 'any', 'berkeley')

    def accepts_key(self, key: str, path: Path, root: Path) -> bool:
        """Whether an index file of this key may be of the data set."""
        return key == self.index_key if key in _INDEX_KEYS else self.accepts(path, root)

    def json_files(self, files: SourceFiles, test: Callable[[Any], bool]) -> list[Path]:
        """JSON files that may be of the data set and whose content passes a test."""
        return [path for path in files.named('.json') if self.accepts(path, files.root) and test(files.json(path))]

    def read(self, source: Path, layout: str | None = None, protocol: str | None = None) -> SourceData:
        """Recognise the layout of a source and read it.

        Args:
            source: folder, file or zip archive.
            layout: the one to read; None where the source has only one.
            protocol: how a phrase of several boxes is scored; None for the default.

        Raises:
            DataError: the source has none or several of the layouts, or cannot be read, or the data set has no such layout or
                protocol; says which and what decides.
        """
        if protocol is not None and protocol not in self.protocols:
            raise DataError(f'{self.name} has the protocols {", ".join(self.protocols) or "none"}, not {protocol!r}')
        if layout is not None and layout not in self.layouts:
            raise DataError(f'{self.name} comes in the layouts {", ".join(self.layouts)}, not in {layout!r}')
        with open_source(source) as files:
            found = {name: paths for name in ([layout] if layout else self.layouts)
                     if (paths := self.layouts[name].find(files, self))}
            if len(found) > 1:
                choices = '; '.join(f'{name} ({_some(paths)})' for name, paths in found.items())
                raise DataError(f'{source} is ambiguous, it fits {len(found)} layouts of {self.name}: {choices}. Choose one '
                                f'with --layout {" or --layout ".join(found)}')
            if not found:
                accepted = '; '.join(f'{name}: {known.files}' for name, known in self.layouts.items())
                raise DataError(f'no annotations of {self.name} were recognised. {files.describe()}. Its layouts are '
                                f'{accepted}')
            (name, paths), = found.items()
            data = SourceData(files=paths, layout=name, protocol=protocol or next(iter(self.protocols), ''))
            if data.protocol == 'any' and name != 'entities':
                raise DataError(f'the layout {name} holds one box per phrase, so the protocol is merged; any needs the layout '
                                f'entities ({self.layouts["entities"].files})')
            try:
                self.layouts[name].read(data, files, self)
            except DataError as error:
                if str(files.root) in str(error):
                    raise
                raise DataError(f'{paths[0]}: {error}') from error
            if not data.annotations:
                raise DataError(f'{paths[0]} holds no expression')
        if not paths[0].is_relative_to(source):  # unpacked to a folder that is gone
            data.files, data.blank = [source], [text.replace(str(files.root), str(source)) for text in data.blank]
            data.unread = {key: text.replace(str(files.root), str(source)) for key, text in data.unread.items()}
        return data


def _some(paths: Sequence[Path]) -> str:
    return ', '.join(path.name for path in paths[:3]) + (', ...' if len(paths) > 3 else '')
