"""ReferItGame: ``referit_query_<split>.json`` with ``referit_bbox.json``, or the older ``RealGames.txt`` with masks.

Queries and boxes go by region, ``<image>_<region>``; boxes are whole-number corners, the last pixel included, and stay as they
are, because every published score was measured with them. A line of ``RealGames.txt`` is ``<image>_<region>.jpg~phrase~x~y``;
the box of a region without an entry in ``referit_bbox.json`` is that of its mask, ``<image>_<region>.mat``, where ``segimg_t``
is 0.
"""
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.datasets.annotation_file import Box
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.mat_file import read_matrix
from mmduet.datasets.readers.source_data import NO_SIZE, SourceData, corners_of_xyxy, get_field, split_of_name
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.io.errors import DataError
from mmduet.io.text import read_lines

_REGION = re.compile(r'(\d+)_(\d+)')


def _first(content: Any) -> tuple[str, Any]:
    return next(iter(content.items()), ('', None)) if isinstance(content, dict) else ('', None)


def _is_boxes(content: Any) -> bool:
    key, value = _first(content)
    return bool(_REGION.fullmatch(key)) and isinstance(value, list) and len(value) == 4 and isinstance(value[0], int | float)


def _is_queries(content: Any) -> bool:
    key, value = _first(content)
    return bool(_REGION.fullmatch(key)) and isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_sizes(content: Any) -> bool:
    key, value = _first(content)
    return key.endswith('.jpg') and isinstance(value, list) and len(value) == 2


def find_referit(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """Query files, box file and, where it is there, the file of sizes."""
    queries = [path for path in spec.json_files(files, _is_queries) if split_of_name(path.stem)]
    boxes = spec.json_files(files, _is_boxes)
    if any(split_of_name(path.stem) == 'train' for path in queries):
        queries = [path for path in queries if split_of_name(path.stem) != 'trainval']
    return [*queries, boxes[0], *spec.json_files(files, _is_sizes)[:1]] if queries and boxes else []


def find_real_games(files: SourceFiles, spec: DatasetSpec) -> list[Path]:
    """``RealGames.txt`` and the lists of images of each split."""
    games = files.named('RealGames.txt')
    return [*games[:1], *files.named('_imlist.txt')] if games else []


def read_referit(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read query and box files; a region without a box is an error."""
    _add_regions(data, files, spec, (
        (f'{path}: region {region}', region, get_field(content, region, str(path), list), split_of_name(path.stem) or '')
        for path in data.files if _is_queries(content := files.json(path)) for region in content))


def read_real_games(data: SourceData, files: SourceFiles, spec: DatasetSpec) -> None:
    """Read ``RealGames.txt``, whose splits are the lists of images; a region must have a box or a mask."""
    games, *lists = data.files
    splits = {name.strip(): split_of_name(path.stem.removesuffix('_imlist')) or '' for path in lists
              for name in read_lines(path) if name.strip() and 'trainval' not in path.stem}
    if not splits:
        raise DataError(f'{games} does not say which images are for training: put referit_train_imlist.txt, '
                        'referit_val_imlist.txt and referit_test_imlist.txt beside it')
    regions: dict[str, tuple[str, str, list[str], str]] = {}
    for number, line in enumerate(read_lines(games), 1):
        where = f'{games}:{number}'
        parts = line.split('~')
        region = parts[0].removesuffix('.jpg')
        if len(parts) < 2 or not _REGION.fullmatch(region):
            raise DataError(f'{where}: must be <image>_<region>.jpg~phrase~x~y, got {line!r:.60}')
        image = region.partition('_')[0]
        if image not in splits:
            raise DataError(f'{where}: image {image} is in no list of images')
        regions.setdefault(region, (f'{where}: region {region}', region, [], splits[image]))[2].append(parts[1])
    _add_regions(data, files, spec, regions.values())


def _add_regions(data: SourceData, files: SourceFiles, spec: DatasetSpec,
                 regions: Iterable[tuple[str, str, list[str], str]]) -> None:
    """Add (where, region, expressions, split), with the boxes, masks and sizes that the source has."""
    known, sizes = ({name: value for path in spec.json_files(files, test)[:1] for name, value in files.json(path).items()}
                    for test in (_is_boxes, _is_sizes))
    masks = {path.stem: path for path in files.named('.mat')}
    for where, region, texts, split in regions:
        if region in known:
            box = corners_of_xyxy(known[region], where)
        elif region in masks:
            box = mask_corners(masks[region])
        else:
            raise DataError(f'{where} has neither a box in referit_bbox.json nor a mask {region}.mat')
        file_name = f'{region.partition("_")[0]}.jpg'
        size = sizes.get(file_name, NO_SIZE)
        if not isinstance(size, list | tuple) or len(size) != 2:
            raise DataError(f'{where}: the size of {file_name} must be [width, height], got {size!r}')
        image_id = data.add_image(file_name, (size[0], size[1]))
        for position, text in enumerate(texts):
            data.add(where, image_id, text, expression_id=f'{region}_{position}', split=split, box=box, ref_id=region,
                     ann_id=region)


def mask_corners(path: Path) -> Box:
    """Whole-number corners, the last pixel included, of the object in a mask: where ``segimg_t`` is 0."""
    rows, columns = np.nonzero(read_matrix(path, 'segimg_t') == 0)
    if not len(rows):
        raise DataError(f'{path} shows no object: segimg_t is 0 nowhere')
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())
