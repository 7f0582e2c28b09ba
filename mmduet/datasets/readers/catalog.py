"""The data sets that ``tools/prepare_dataset.py`` knows, with their published counts.

A further data set is one more entry; a further layout one more reader.
"""
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mmduet.datasets.errors import DataError
from mmduet.datasets.readers.official_refcoco import read_official_refcoco
from mmduet.datasets.readers.refshapes import read_refshapes
from mmduet.datasets.readers.source_data import SourceData


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set by name.

    Attributes:
        read: reads the folder of the source.
        folder: name of that folder in the official archive; may also be given as part of the source path.
        published: by split, how many images, references and expressions the data set has; empty where it varies.
        warning: what to know before comparing scores; empty where nothing is odd.
    """

    read: Callable[[Path], SourceData]
    folder: str
    published: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    warning: str = ''

    def locate(self, source: Path) -> Path:
        """The folder to read: ``source`` itself, or its sub-folder of the official name."""
        inner = source / self.folder
        return inner if inner.is_dir() else source


CATALOG: dict[str, DatasetSpec] = {
    'refcoco_unc': DatasetSpec(read=partial(read_official_refcoco, split_by='unc'), folder='refcoco', published={
        'train': (16994, 42404, 120624), 'val': (1500, 3811, 10834),
        'testA': (750, 1975, 5657), 'testB': (750, 1810, 5095)}),
    'refcocoplus_unc': DatasetSpec(read=partial(read_official_refcoco, split_by='unc'), folder='refcoco+', published={
        'train': (16992, 42278, 120191), 'val': (1500, 3805, 10758),
        'testA': (750, 1975, 5726), 'testB': (750, 1798, 4889)}),
    'refcocog_umd': DatasetSpec(read=partial(read_official_refcoco, split_by='umd'), folder='refcocog', published={
        'train': (21899, 42226, 80512), 'val': (1300, 2573, 4896), 'test': (2600, 5023, 9602)}),
    'refcocog_google': DatasetSpec(
        read=partial(read_official_refcoco, split_by='google'), folder='refcocog',
        published={'train': (24698, 44822, 85474), 'val': (4650, 5000, 9536)},
        warning='the google split divides objects, not images: images of its val are also in its train, so a score on it is '
                'not that of unseen images, and its train must not be mixed with val or test of refcocog_umd'),
    'refshapes': DatasetSpec(read=read_refshapes, folder='refshapes'),
}


def find_dataset(name: str) -> DatasetSpec:
    """The data set of that name.

    Raises:
        DataError: there is none; names the nearest.
    """
    if name not in CATALOG:
        near = [known for known in CATALOG if known.startswith(name + '_')]
        near = near or difflib.get_close_matches(name, CATALOG, n=2, cutoff=0.4)
        hint = f'; did you mean {" or ".join(near)}?' if near else ''
        raise DataError(f'no data set is called {name!r}{hint} (known: {", ".join(CATALOG)})')
    return CATALOG[name]
