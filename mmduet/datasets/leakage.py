"""Images that a model saw in training, or its backbone before, among those it is tested on.

An image is known by its collection and number, so that the same image of COCO is found under the names of 2014 and 2017 and in
whatever data set it stands.
"""
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmduet.datasets.annotation_file import annotation_lines, parse_annotation
from mmduet.datasets.image_names import image_id_of_coco
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.datasets.readers import CATALOG
from mmduet.io.errors import DataError
from mmduet.io.text import read_text

ImageKey = tuple[str, int | str]
# Of a number or a path in a list; Python itself makes no number of many more digits.
_LONGEST_ID = 1000
COCO = 'coco'
# What is never trained on; trainval is train.
EVALUATION_SPLITS = ('val', 'test', 'testA', 'testB', 'heldout', 'absent')


@dataclass(slots=True)
class Use:
    """Where an image stands in a split."""

    example: str  # name of the image, and ``file:line`` of the first expression about it
    expressions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Images of an evaluation split that were seen."""

    seen_in: str  # what saw them
    dataset: str  # the evaluation split
    split: str
    images: int  # how many were seen
    expressions: int
    all_images: int  # how many the split has
    all_expressions: int
    examples: tuple[str, ...] = ()  # the first few


def image_key(image_id: int | str, file_name: str, collection: str) -> ImageKey:
    """What tells an image from all others, in any data set."""
    number = image_id_of_coco(file_name)
    return (COCO, number) if isinstance(number, int) else (collection, image_id)


def collection_of(root: Path) -> str:
    """Where the images of a data root come from: its manifest's word, or the catalog's, or the data set's own name."""
    manifest = read_manifest(root)
    name = manifest['dataset']
    return str(manifest.get('collection') or (CATALOG[name].collection if name in CATALOG else name))


def images_of(root: Path, splits: Sequence[str]) -> dict[str, dict[ImageKey, Use]]:
    """Images of some splits of a data root, by split; a ``DataError`` names a split or line that is missing or wrong."""
    collection = collection_of(root)
    found: dict[str, dict[ImageKey, Use]] = {}
    for split, path in split_files(root, splits).items():
        uses = found.setdefault(split, {})
        for where, line in annotation_lines(path):
            annotation = parse_annotation(line, where)
            key = image_key(annotation.image_id, annotation.image, collection)
            uses.setdefault(key, Use(f'{annotation.image} ({where})')).expressions += 1
    return found


def evaluation_splits(root: Path) -> list[str]:
    """Splits of a data root that nobody trains on."""
    return [split for split in split_files(root) if split in EVALUATION_SPLITS]


def evaluation_images(sources: Iterable[Mapping[str, Any]]) -> set[ImageKey]:
    """Images of evaluation splits of several data roots; a ``DataError`` names one that is none or has no such split.

    Each of ``sources`` maps ``data_root`` and, unless all ``EVALUATION_SPLITS`` are meant, ``splits``, to names of them.
    """
    roots = [(Path(source['data_root']), source.get('splits')) for source in sources]
    return {key for root, splits in roots for uses in images_of(root, splits or evaluation_splits(root)).values()
            for key in uses}


def read_seen_ids(path: Path, collection: str = COCO) -> set[ImageKey]:
    """Images that a list names: numbers or file names, one per line or in a JSON list, or ``images`` of a COCO file.

    Bare numbers count in ``collection``. A ``DataError`` names a file that cannot be read or holds no ids, and the line.
    """
    try:
        text = read_text(path)
        entries = json.loads(text) if path.suffix == '.json' else text.split()
        if isinstance(entries, dict):
            entries = [image['id'] for image in entries['images']]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f'{path} is no list of image ids ({type(error).__name__}: {error})') from error
    if not isinstance(entries, list):
        raise DataError(f'{path} is no list of image ids: it holds a {type(entries).__name__}')
    keys: set[ImageKey] = set()
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, int | str) or isinstance(entry, bool) or len(str(entry)) > _LONGEST_ID:
            raise DataError(f'{path}: entry {number} is no image id: {entry!r:.80}')
        known = int(entry) if str(entry).isdecimal() else entry
        keys.add(image_key(known, str(entry), collection))
    if not keys:
        raise DataError(f'{path} names no image')
    return keys


def training_images(dataset: Mapping[str, Any], anchor: Path = Path()) -> dict[str, set[ImageKey]]:
    """Images that the dataset of a training config sees, by data root and splits; what a joint one excludes is left out.

    Relative data roots start from ``anchor``; a ``DataError`` names one that is missing or has no such split.
    """
    excluded = evaluation_images({**source, 'data_root': anchor / source['data_root']} for source in dataset.get('exclude', ()))
    seen: dict[str, set[ImageKey]] = {}
    for part in dataset.get('datasets') or [dataset]:
        uses = images_of(anchor / part['data_root'], part['splits'])
        seen[f'{part["data_root"]}:{"+".join(part["splits"])}'] = {key for split in uses.values() for key in split} - excluded
    return seen


def find_overlaps(seen: Mapping[str, set[ImageKey]], roots: Sequence[Path], examples: int = 3) -> list[Overlap]:
    """What of the evaluation splits of some data roots was seen; one entry for each pair, also where nothing was."""
    overlaps: list[Overlap] = []
    for root in roots:
        name = read_manifest(root)['dataset']
        for split, uses in images_of(root, evaluation_splits(root)).items():
            total = sum(use.expressions for use in uses.values())
            for source, keys in seen.items():
                common = [use for key, use in uses.items() if key in keys]
                overlaps.append(Overlap(
                    seen_in=source, dataset=name, split=split, images=len(common), all_images=len(uses),
                    expressions=sum(use.expressions for use in common), all_expressions=total,
                    examples=tuple(use.example for use in common[:examples])))
    return overlaps
