"""From a source and a folder of images to a data root that ``GroundingDataset`` reads."""
import json
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmduet import __version__
from mmduet.datasets.annotation_file import NO_BOX, Annotation, write_annotations
from mmduet.datasets.box_units import are_fractions, mostly_fractions
from mmduet.datasets.image_names import ImageIndex
from mmduet.datasets.readers import CATALOG, DatasetSpec, SourceData
from mmduet.datasets.readers.source_data import NO_SIZE
from mmduet.io.errors import DataError, ImageError
from mmduet.io.files import replacing, sha256_of
from mmduet.io.images import check_image, read_image_size
from mmduet.io.locks import LockedError, locked

# Missing images that get a hint at similar names, which takes a while in a large folder.
HINTED = 20
COUNT_NAMES = ('images', 'references', 'expressions')
Counts = tuple[int, int, int]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """What became of a source."""

    annotations: list[Annotation]  # those whose image is there, with the image's real name
    source_counts: dict[str, Counts]  # by split, images, references and expressions of the source
    counts: dict[str, Counts]  # and of ``annotations``
    missing: list[str]  # an entry per image without file: the names it was looked for by
    broken: list[str]  # a sentence per image that is there and cannot be used
    odd_boxes: list[str]  # a sentence per box without area or outside its image


def count_by_split(annotations: Iterable[Annotation]) -> dict[str, Counts]:
    """Images, references and expressions of each split, in order of appearance.

    Where a source does not number its references, the boxes of an image stand for them.
    """
    images: dict[str, set[int | str]] = {}
    references: dict[str, set[object]] = {}
    expressions: Counter[str] = Counter()
    for annotation in annotations:
        reference = (annotation.image_id, annotation.box) if annotation.ref_id is None else annotation.ref_id
        images.setdefault(annotation.split, set()).add(annotation.image_id)
        references.setdefault(annotation.split, set()).add(reference)
        expressions[annotation.split] += 1
    return {split: (len(images[split]), len(references[split]), expressions[split]) for split in images}


def match_images(source: SourceData, images: Path, check_images: bool = False, workers: int = 2,
                 progress: Progress | None = None) -> PreparedData:
    """Find the file of each image and leave out, by name, the expressions that have none.

    Two names of one file become one image; a ``DataError`` names two different files that one name fits.

    Args:
        source: what a reader returned.
        images: folder of the images.
        check_images: also decode every image and compare its size with the source. Otherwise an image is opened only where
            the source does not say its size, and not decoded.
        workers: threads that open images.
        progress: called with how many images of how many were opened.
    """
    index = ImageIndex(images)
    names: dict[int | str, str] = {}
    missing: list[str] = []
    for image_id in dict.fromkeys(annotation.image_id for annotation in source.annotations):
        candidates = source.images[image_id].file_names
        name = index.find(candidates)
        if name is None:
            missing.append(' or '.join(candidates) + (index.nearest(candidates[0]) if len(missing) < HINTED else ''))
        else:
            names[image_id] = name
    _unite(source, names)
    opened = [image_id for image_id in names if check_images or source.images[image_id].size == NO_SIZE]
    files = [(images / names[image_id], source.images[image_id].size) for image_id in opened]
    results = open_images(files, check_images, workers, progress)
    sizes = dict(zip(opened, results, strict=True))
    broken = [result for result in results if isinstance(result, str)]
    kept = []
    for annotation in source.annotations:
        size = sizes.get(annotation.image_id, source.images[annotation.image_id].size)
        if annotation.image_id in names and not isinstance(size, str):
            kept.append(replace(annotation, image=names[annotation.image_id], width=size[0], height=size[1]))
    return PreparedData(annotations=kept, source_counts=count_by_split(source.annotations), counts=count_by_split(kept),
                        missing=missing, broken=broken, odd_boxes=find_odd_boxes(kept))


def _unite(source: SourceData, names: dict[int | str, str]) -> None:
    """Give one id to images that are one file, so that no split counts or trains on it under another name; in place."""
    first: dict[str, int | str] = {}
    same = {image_id: first[name] for image_id, name in names.items() if first.setdefault(name, image_id) != image_id}
    for image_id, known in same.items():
        source.images[known].boxes.extend(source.images[image_id].boxes)
        source.images[known].categories.extend(source.images[image_id].categories)
    if same:
        source.annotations = [replace(annotation, image_id=same.get(annotation.image_id, annotation.image_id))
                              for annotation in source.annotations]


def open_images(files: Sequence[tuple[Path, tuple[int, int]]], decode: bool, workers: int,
                progress: Progress | None = None) -> list[tuple[int, int] | str]:
    """(width, height) of each image file, EXIF rotation ignored, or what is wrong with it as a sentence.

    ``files`` are paths, and the sizes that their annotations say; ``decode`` reads all of a file instead of its header.
    """
    def read(path: Path, expected: tuple[int, int]) -> tuple[int, int] | str:
        try:
            if decode:
                height, width = check_image(path)
            else:
                width, height = read_image_size(path)
        except ImageError as error:
            return str(error)
        if expected not in (NO_SIZE, (width, height)):
            return f'{path} is {width} x {height} pixels, its annotation says {expected[0]} x {expected[1]}'
        return width, height

    results: list[tuple[int, int] | str] = []
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for result in pool.map(read, *zip(*files, strict=True)) if files else ():
            results.append(result)
            if progress is not None:
                progress(len(results), len(files))
    return results


def find_odd_boxes(annotations: Iterable[Annotation]) -> list[str]:
    """A sentence for each box without area or sticking out of its image by more than rounding."""
    found: dict[tuple[str, object], str] = {}
    for annotation in annotations:
        if annotation.box is None:
            continue
        x1, y1, x2, y2 = annotation.box
        if x2 <= x1 or y2 <= y1:
            problem = 'has no area'
        elif x1 < -0.5 or y1 < -0.5 or x2 > annotation.width + 0.5 or y2 > annotation.height + 0.5:
            problem = f'sticks out of its image of {annotation.width} x {annotation.height}'
        else:
            continue
        found.setdefault((annotation.image, annotation.box), f'{annotation.image}: box {list(annotation.box)} {problem}')
    return list(found.values())


def write_data_root(out: Path, name: str, prepared: PreparedData, source: SourceData, images: Path,
                    some: bool = False) -> None:
    """Write ``annotations/`` and ``manifest.json``, first beside, then in place by renaming: never half a file.

    What else the folder holds is left alone, but for splits that it wrote before and are no more. The image folder is stored
    relative to ``out`` if it lies inside.

    Args:
        out: the folder.
        name: of the data set.
        prepared, source: what is written, and where it is from.
        images: folder of the images.
        some: whether only some splits of the source were asked for, so that others must not be taken away.

    Raises:
        DataError: nothing to write, or ``out`` holds annotations that this function did not make, or, with ``some``, other
            splits.
        LockedError: another process writes or reads there.
    """
    if not prepared.annotations:
        raise DataError(f'none of the images of {name} is in {images}')
    folder, manifest = out / 'annotations', out / 'manifest.json'
    if folder.exists() and not manifest.exists():
        raise DataError(f'{folder} exists, but {out} has no manifest.json, so this tool did not make it: choose another --out')
    lost = sorted(_splits_of(manifest) - set(prepared.counts))
    if lost and some:
        raise DataError(f'{out} holds {", ".join(lost)} too, which would be gone: prepare all splits at once, or choose '
                        'another --out')
    made = next((path for path in (out, folder) if not path.exists()), None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            _write_files(out, prepared, source, json.dumps(_manifest(out, name, prepared, source, images), indent=2))
            # Their names are data: what lies in the folder is asked for its name, and no path is made of one.
            for path in [path for path in folder.glob('*.jsonl') if path.stem in lost]:
                path.unlink()
    except BaseException as error:
        # Not where another process had just begun to write.
        if made is not None and not isinstance(error, LockedError):
            shutil.rmtree(made, ignore_errors=True)
        raise


def _splits_of(manifest: Path) -> set[str]:
    """Those that a manifest names; none where there is no manifest, or one that cannot be read."""
    try:
        return set(json.loads(manifest.read_text(encoding='utf-8'))['splits'])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write_files(out: Path, prepared: PreparedData, source: SourceData, manifest: str) -> None:
    folder = out / 'annotations'
    with ExitStack() as stack:
        for split in prepared.counts:
            write_annotations(stack.enter_context(replacing(folder / f'{split}.jsonl')),
                              (a for a in prepared.annotations if a.split == split))
        _write_objects(stack.enter_context(replacing(folder / 'objects.jsonl')), prepared.annotations, source)
        stack.enter_context(replacing(out / 'manifest.json')).write_text(manifest + '\n', encoding='utf-8')


def _write_objects(path: Path, annotations: Iterable[Annotation], source: SourceData) -> None:
    with path.open('w', encoding='utf-8') as file:
        for image_id, name in {annotation.image_id: annotation.image for annotation in annotations}.items():
            image = source.images[image_id]
            file.write(json.dumps({'image_id': image_id, 'image': name, 'boxes': image.boxes,
                                   'categories': image.categories}) + '\n')


def _manifest(out: Path, name: str, prepared: PreparedData, source: SourceData, images: Path) -> dict[str, object]:
    root, folder = out.resolve(), images.resolve()
    inside = folder.is_relative_to(root)
    return {
        'dataset': name,
        'images': folder.relative_to(root).as_posix() if inside else folder.as_posix(),
        'splits': {split: dict(zip(COUNT_NAMES, counts, strict=True)) for split, counts in prepared.counts.items()},
        'missing_images': len(prepared.missing),
        'broken_images': len(prepared.broken),
        'blank_expressions': len(source.blank),
        'sources': {path.resolve().as_posix(): sha256_of(path) for path in source.files},
        **{key: said for key, said in (('source', source.about), ('layout', source.layout), ('protocol', source.protocol))
           if said},
        'collection': CATALOG[name].collection if name in CATALOG else name,
        'made_by': f'mmduet {__version__}',
    }


def prepare(spec: DatasetSpec, source: Path, images: Path, layout: str | None = None, protocol: str | None = None,
            splits: Sequence[str] = (), check_images: bool = False, workers: int = 2,
            progress: Progress | None = None) -> tuple[SourceData, PreparedData]:
    """Read a source and match it with its images; writes nothing.

    Arguments are those of ``DatasetSpec.read`` and ``match_images``; ``splits`` are only these, empty for all.

    Raises:
        DataError: the source cannot be read, its layout is unclear, an expression id occurs twice in a split, or the image
            folder does not exist.
    """
    data = spec.read(source, layout, protocol)
    if splits:
        known = dict.fromkeys(annotation.split for annotation in data.annotations)
        absent = [split for split in splits if split not in known]
        if absent:
            raise DataError(f'{source} has no split {absent[0]!r}, only {", ".join(known)}')
        data.annotations = [annotation for annotation in data.annotations if annotation.split in splits]
    _check_split_names(data.annotations, source)
    for (split, number), where in data.repeated.items():
        if not splits or split in splits:
            raise DataError(f'{where}: expression {number} of split {split} is in {data.places[split, number]} too: ids must '
                            'differ, and no file may be there twice')
    prepared = match_images(data, images, check_images, workers, progress)
    boxes, sizes = box_arrays(prepared.annotations)
    if mostly_fractions(boxes, sizes):
        example = prepared.annotations[int(are_fractions(boxes, sizes).argmax())]
        raise DataError(f'{source}: boxes look like fractions of their images, and pixels are needed: expression '
                        f'{example.expression_id} has the box {list(example.box or ())} in an image of {example.width} x '
                        f'{example.height}')
    return data, prepared


def box_arrays(annotations: Sequence[Annotation]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n, 4) corners, nan where there is no target, and (n, 2) width and height of the images."""
    boxes = np.array([annotation.box or NO_BOX for annotation in annotations], dtype=np.float64).reshape(-1, 4)
    return boxes, np.array([(one.width, one.height) for one in annotations], dtype=np.int64).reshape(-1, 2)


def _check_split_names(annotations: Iterable[Annotation], source: Path) -> None:
    """Raise a ``DataError`` for two splits that would be one file where capitals or Unicode's form do not count."""
    known: dict[str, str] = {}
    for split in dict.fromkeys(annotation.split for annotation in annotations):
        other = known.setdefault(unicodedata.normalize('NFC', split).casefold(), split)
        if other != split:
            raise DataError(f'{source}: the splits {other!r} and {split!r} would be one file on some systems: give them names '
                            'that differ in more than capitals')
