"""The data sets that ``tools/prepare_dataset.py`` knows, with their published counts.

A further data set is one more entry; a further layout one more reader.
"""
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmduet.datasets.readers.flickr30k import PROTOCOLS
from mmduet.datasets.readers.layouts import read_source
from mmduet.datasets.readers.source_data import SourceData
from mmduet.datasets.readers.target import Target
from mmduet.io.errors import DataError

# Images, references and expressions; None where nobody published the number.
Published = Mapping[str, tuple[int | None, int | None, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set by name.

    Attributes:
        target: how sources call it.
        layouts: names of those that it comes in.
        published: by split, how many images, references and expressions the data set has; empty where it varies.
        published_in: the same for layouts that hold other numbers than the published ones.
        collection: where the images come from; two data sets of one collection can share images.
        protocols: ways to score a phrase of several boxes, the default first; empty where a phrase has one.
        shares_images: whether the splits share images by design.
        warning: what to know before comparing scores; empty where nothing is odd.
    """

    target: Target
    layouts: tuple[str, ...]
    published: Published = field(default_factory=dict)
    published_in: Mapping[str, Published] = field(default_factory=dict)
    collection: str = ''
    protocols: tuple[str, ...] = ()
    shares_images: bool = False
    warning: str = ''

    def read(self, source: Path, layout: str | None = None, protocol: str | None = None) -> SourceData:
        """Recognise the layout of a source and read it.

        Raises:
            DataError: see ``read_source``; or the data set has no such protocol.
        """
        if protocol is not None and protocol not in self.protocols:
            raise DataError(f'{self.target.name} has the protocols {", ".join(self.protocols) or "none"}, not {protocol!r}')
        target = replace(self.target, protocol=protocol or next(iter(self.protocols), ''))
        return read_source(source, target, self.layouts, layout)

    def published_for(self, layout: str) -> Published:
        """The counts that a source of this layout should have."""
        return self.published_in.get(layout, self.published)


_REFCOCO_LAYOUTS = ('official', 'index', 'mdetr', 'shikra', 'split-dict')

CATALOG: dict[str, DatasetSpec] = {
    'refcoco_unc': DatasetSpec(
        target=Target(name='refcoco_unc', family='refcoco', split_by='unc', index_key='unc'), layouts=_REFCOCO_LAYOUTS,
        collection='coco', published={
            'train': (16994, 42404, 120624), 'val': (1500, 3811, 10834),
            'testA': (750, 1975, 5657), 'testB': (750, 1810, 5095)}),
    'refcocoplus_unc': DatasetSpec(
        target=Target(name='refcocoplus_unc', family='refcoco+', split_by='unc', index_key='unc+'), layouts=_REFCOCO_LAYOUTS,
        collection='coco', published={
            'train': (16992, 42278, 120191), 'val': (1500, 3805, 10758),
            'testA': (750, 1975, 5726), 'testB': (750, 1798, 4889)}),
    'refcocog_umd': DatasetSpec(
        target=Target(name='refcocog_umd', family='refcocog', split_by='umd', index_key='gref_umd'), layouts=_REFCOCO_LAYOUTS,
        collection='coco', published={
            'train': (21899, 42226, 80512), 'val': (1300, 2573, 4896), 'test': (2600, 5023, 9602)}),
    'refcocog_google': DatasetSpec(
        target=Target(name='refcocog_google', family='refcocog', split_by='google', index_key='gref'), layouts=_REFCOCO_LAYOUTS,
        collection='coco', published={'train': (24698, 44822, 85474), 'val': (4650, 5000, 9536)}, shares_images=True,
        warning='the google split divides objects, not images: images of its val are also in its train, so a score on it is '
                'not that of unseen images, and its train must not be mixed with val or test of refcocog_umd'),
    'referit': DatasetSpec(
        target=Target(name='referit', family='referit', split_by='berkeley', index_key='referit'),
        layouts=('referit', 'real-games', 'index', 'split-dict'), collection='iaprtc12',
        published={'train': (None, None, 54127), 'val': (None, None, 5842), 'test': (None, None, 60103)},
        # The query files hold nine expressions that the index files leave out without saying why.
        published_in={'referit': {'train': (8995, 44649, 54134), 'val': (1000, 4866, 5842), 'test': (9994, 49730, 60105)}}),
    'flickr30k': DatasetSpec(
        target=Target(name='flickr30k', family='flickr30k', index_key='flickr'), layouts=('entities', 'index', 'split-dict'),
        collection='flickr30k', protocols=PROTOCOLS,
        published={'train': (29783, None, 427193), 'val': (1000, None, 14433), 'test': (1000, None, 14481)}),
    'refshapes': DatasetSpec(target=Target(name='refshapes', split_by='unc'), layouts=('refshapes', ), collection='refshapes'),
    'own': DatasetSpec(target=Target(name='own'), layouts=('own', ), collection='own'),
}


def find_dataset(name: str) -> DatasetSpec:
    """The data set of that name; a ``DataError`` names the nearest where there is none."""
    if name not in CATALOG:
        near = [known for known in CATALOG if known.startswith(name + '_')]
        near = near or difflib.get_close_matches(name, CATALOG, n=2, cutoff=0.4)
        hint = f'; did you mean {" or ".join(near)}?' if near else ''
        raise DataError(f'no data set is called {name!r}{hint} (known: {", ".join(CATALOG)})')
    return CATALOG[name]
