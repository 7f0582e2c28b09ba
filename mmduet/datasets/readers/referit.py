"""ReferItGame: ``referit_query_<split>.json`` with ``referit_bbox.json``, or the older ``RealGames.txt`` with masks.

Queries and boxes go by region, ``<image>_<region>``; boxes are whole-number corners, the last pixel included, and stay as they
are, because every published score was measured with them. A line of ``RealGames.txt`` is ``<image>_<region>.jpg~phrase~x~y``;
the box of a region without an entry in ``referit_bbox.json`` is that of its mask, ``<image>_<region>.mat``, where ``segimg_t``
is 0.
"""
import re
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.datasets.annotation_file import Box
from mmduet.datasets.readers.mat_file import read_matrix
from mmduet.datasets.readers.source_data import NO_SIZE, SourceBuilder, SourceData, corners_of_xyxy, split_of_name
from mmduet.datasets.readers.source_files import SourceFiles
from mmduet.datasets.readers.target import Target
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


def find_referit(files: SourceFiles, target: Target) -> list[Path]:
    """Query files, box file and, where it is there, the file of sizes."""
    paths = [path for path in files.named('.json') if target.accepts(path, files.root)]
    queries = [path for path in paths if split_of_name(path.stem) and _is_queries(files.json(path))]
    boxes = [path for path in paths if _is_boxes(files.json(path))]
    if not queries or not boxes:
        return []
    if any(split_of_name(path.stem) == 'train' for path in queries):
        queries = [path for path in queries if split_of_name(path.stem) != 'trainval']
    return [*queries, boxes[0], *[path for path in paths if _is_sizes(files.json(path))][:1]]


def find_real_games(files: SourceFiles, target: Target) -> list[Path]:
    """``RealGames.txt`` and the lists of images of each split."""
    games = files.named('RealGames.txt')
    return [*games[:1], *files.named('_imlist.txt')] if games else []


def read_referit(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read query and box files; a region without a box is an error."""
    contents = {path: files.json(path) for path in paths}
    queries = {path: content for path, content in contents.items() if _is_queries(content)}
    boxes_path = next(path for path, content in contents.items() if _is_boxes(content))
    sizes: dict[str, Any] = next((content for content in contents.values() if _is_sizes(content)), {})
    builder = SourceBuilder()
    for path, regions in queries.items():
        split = split_of_name(path.stem) or ''
        for region, texts in regions.items():
            where = f'{path}: region {region}'
            if region not in contents[boxes_path]:
                raise DataError(f'{where}: {boxes_path.name} has no box of it')
            box = corners_of_xyxy(contents[boxes_path][region], f'{boxes_path}: region {region}')
            _add_region(builder, where, region, texts, box, split, sizes)
    return builder.finish(paths)


def _add_region(builder: SourceBuilder, where: str, region: str, texts: list[str], box: Box, split: str,
                sizes: dict[str, Any]) -> None:
    file_name = f'{region.partition("_")[0]}.jpg'
    size = sizes.get(file_name, NO_SIZE)
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise DataError(f'{where}: the size of {file_name} must be [width, height], got {size!r}')
    image_id = builder.add_image(file_name, (size[0], size[1]))
    for position, text in enumerate(texts):
        builder.add(where, image_id, text, {'expression_id': f'{region}_{position}', 'split': split, 'box': box,
                                            'ref_id': region, 'ann_id': region})


def read_real_games(files: SourceFiles, paths: list[Path], target: Target) -> SourceData:
    """Read ``RealGames.txt``, whose splits are the lists of images; a region must have a box or a mask."""
    games, *lists = paths
    splits = {name.strip(): split_of_name(path.stem.removesuffix('_imlist')) or '' for path in lists
              for name in read_lines(path) if name.strip() and 'trainval' not in path.stem}
    if not splits:
        raise DataError(f'{games} does not say which images are for training: put referit_train_imlist.txt, '
                        'referit_val_imlist.txt and referit_test_imlist.txt beside it')
    json_files = [path for path in files.named('.json') if target.accepts(path, files.root)]
    known: dict[str, Any] = next((files.json(path) for path in json_files if _is_boxes(files.json(path))), {})
    sizes: dict[str, Any] = next((files.json(path) for path in json_files if _is_sizes(files.json(path))), {})
    masks = {path.stem: path for path in files.named('.mat')}
    regions: dict[str, tuple[str, list[str]]] = {}
    for number, line in enumerate(read_lines(games), 1):
        where = f'{games}:{number}'
        parts = line.split('~')
        region = parts[0].removesuffix('.jpg')
        if len(parts) < 2 or not _REGION.fullmatch(region):
            raise DataError(f'{where}: must be <image>_<region>.jpg~phrase~x~y, got {line!r:.60}')
        if region.partition('_')[0] not in splits:
            raise DataError(f'{where}: image {region.partition("_")[0]} is in no list of images')
        regions.setdefault(region, (where, []))[1].append(parts[1])
    builder = SourceBuilder()
    for region, (where, texts) in regions.items():
        if region in known:
            box = corners_of_xyxy(known[region], f'{where}: region {region}')
        elif region in masks:
            box = mask_corners(masks[region])
        else:
            raise DataError(f'{where}: region {region} has neither a box in referit_bbox.json nor a mask {region}.mat')
        _add_region(builder, where, region, texts, box, splits[region.partition('_')[0]], sizes)
    return builder.finish(paths)


def mask_corners(path: Path) -> Box:
    """Whole-number corners, the last pixel included, of the object in a mask: where ``segimg_t`` is 0."""
    rows, columns = np.nonzero(read_matrix(path, 'segimg_t') == 0)
    if not len(rows):
        raise DataError(f'{path} shows no object: segimg_t is 0 nowhere')
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())
