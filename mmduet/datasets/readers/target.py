"""Which data set is wanted, and whether a file says by its name that it is of another."""
import re
from dataclasses import dataclass
from pathlib import Path

_FAMILY = re.compile(r'(?<![a-z])(?P<family>refcoco(?:\+|plus|p|g)?|referit(?:game)?|refclef|flickr(?:30k)?)(?![a-z])'
                     r'(?:[-_ ]?(?P<split_by>unc|umd|google|berkeley|merged|any))?', re.IGNORECASE)
_FAMILIES = {'refcocoplus': 'refcoco+', 'refcocop': 'refcoco+', 'referitgame': 'referit', 'refclef': 'referit',
             'flickr': 'flickr30k'}
_INDEX_KEYS = ('unc', 'unc+', 'gref', 'gref_umd', 'referit', 'flickr')


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A data set as sources call it.

    Attributes:
        name: ours.
        family: ``'refcoco'``, ``'refcoco+'``, ``'refcocog'``, ``'referit'``, ``'flickr30k'``; empty where names say nothing.
        split_by: who made the splits; empty where there is only one way.
        index_key: what the TransVG family's index files call it.
        protocol: ``'merged'`` or ``'any'``, where a phrase may have several boxes.
    """

    name: str
    family: str = ''
    split_by: str = ''
    index_key: str = ''
    protocol: str = ''

    def accepts(self, path: Path, root: Path) -> bool:
        """Whether neither the file's name nor that of a folder up to ``root`` says that it is of another data set."""
        spoken = re.search(_FAMILY, path.name)
        folders = [folder for folder in path.parents if folder.is_relative_to(root)]
        for folder in folders:
            spoken = spoken or _FAMILY.fullmatch(folder.name)
        if spoken is None or not self.family:
            return True
        family = spoken['family'].lower()
        split_by = (spoken['split_by'] or self.split_by).lower()
        return _FAMILIES.get(family, family) == self.family and split_by in (self.split_by, 'merged', 'any', 'berkeley')

    def accepts_key(self, key: str, path: Path, root: Path) -> bool:
        """Whether an index file of this key may be of the data set."""
        return key == self.index_key if key in _INDEX_KEYS else self.accepts(path, root)
