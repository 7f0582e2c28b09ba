"""From a source and a folder of images to a data root that ``GroundingDataset`` reads."""
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mmduet import __version__
from mmduet.datasets.annotation_file import Annotation, write_annotations
from mmduet.datasets.errors import ImageError
from mmduet.datasets.image_io import read_image
from mmduet.datasets.readers import CATALOG, DatasetSpec, SourceData
from mmduet.datasets.readers.source_data import NO_SIZE
from mmduet.io.errors import DataError
from mmduet.io.files import replacing, sha256_of, stays_inside

Counts = tuple[int, int, int]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What may be chosen when a source is read.

    Attributes:
        layout: which to read, where a source has several; None for the only one.
        protocol: how several boxes of a phrase are scored; None for the data set's default.
        splits: only these; empty for all.
        check_images: decode every image and compare its size.
        workers: threads that open images.
    """

    layout: str | None = None
    protocol: str | None = None
    splits: tuple[str, ...] = ()
    check_images: bool = False
    workers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData:
    """What became of a source.

    Attributes:
        annotations: those whose image is there, with the image's real name.
        source_counts, counts: by split, images, references and expressions of the source and of ``annotations``.
        missing: an entry per image without file: the names it was looked for by.
        broken: a sentence per image that is there and cannot be used.
        odd_boxes: a sentence per box without area or outside its image.
    """

    annotations: list[Annotation]
    source_counts: dict[str, Counts]
    counts: dict[str, Counts]
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    odd_boxes: list[str] = field(default_factory=list)


def index_images(folder: Path) -> dict[str, str]:
    """Path relative to ``folder`` by file name, in it and its sub-folders; a ``DataError`` if there is none."""
    if not folder.is_dir():
        raise DataError(f'the image folder {folder} does not exist')
    found: dict[str, str] = {}
    inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    for prefix in ['', *(f'{name}/' for name in inner)]:
        for entry in os.scandir(folder / prefix):
            if not entry.is_dir():
                found.setdefault(entry.name, prefix + entry.name)
    return found


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

    Args:
        source: what a reader returned.
        images: folder of the images.
        check_images: also decode every image and compare its size with the source. Otherwise an image is opened only where
            the source does not say its size, and not decoded.
        workers: threads that open images.
        progress: called with how many images of how many were opened.
    """
    there = index_images(images)
    used = dict.fromkeys(annotation.image_id for annotation in source.annotations)
    names: dict[int | str, str] = {}
    missing: list[str] = []
    for image_id in used:
        candidates = source.images[image_id].file_names
        name = next((found for candidate in candidates if (found := _find_image(candidate, there, images))), None)
        if name is None:
            missing.append(' or '.join(candidates))
        else:
            names[image_id] = name
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


def _find_image(name: str, there: Mapping[str, str], images: Path) -> str | None:
    """Path relative to the image folder of a file name, or of a path in that folder."""
    if '/' not in name:
        return there.get(name)
    return name if stays_inside(name) and (images / name).is_file() else None


def open_images(files: Sequence[tuple[Path, tuple[int, int]]], decode: bool, workers: int,
                progress: Progress | None = None) -> list[tuple[int, int] | str]:
    """(width, height) of each image file, or what is wrong with it as a sentence.

    Args:
        files: path, and the size that its annotation says.
        decode: read all of a file instead of its header.
        workers: threads.
        progress: called with how many of how many are done.
    """
    def read(path: Path, expected: tuple[int, int]) -> tuple[int, int] | str:
        size = read_size(path, decode)
        if isinstance(size, tuple) and expected not in (NO_SIZE, size):
            return f'{path} is {size[0]} x {size[1]} pixels, its annotation says {expected[0]} x {expected[1]}'
        return size

    results: list[tuple[int, int] | str] = []
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for result in pool.map(read, *zip(*files, strict=True)) if files else ():
            results.append(result)
            if progress is not None:
                progress(len(results), len(files))
    return results


def read_size(path: Path, decode: bool) -> tuple[int, int] | str:
    """(width, height) of an image file, EXIF rotation ignored, or what is wrong with it as a sentence."""
    try:
        if decode:
            height, width = read_image(path).shape[:2]
            return width, height
        with Image.open(path) as image:
            return image.size
    except (ImageError, UnidentifiedImageError) as error:
        return str(error) if isinstance(error, ImageError) else f'{path} is no image'
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f'{path} is truncated or broken: {error}'


def find_odd_boxes(annotations: Iterable[Annotation]) -> list[str]:
    """A sentence for each box without area or sticking out of its image by more than rounding."""
    found: dict[tuple[str, object], str] = {}
    for annotation in annotations:
        x1, y1, x2, y2 = annotation.box
        if x2 <= x1 or y2 <= y1:
            problem = 'has no area'
        elif x1 < -0.5 or y1 < -0.5 or x2 > annotation.width + 0.5 or y2 > annotation.height + 0.5:
            problem = f'sticks out of its image of {annotation.width} x {annotation.height}'
        else:
            continue
        found.setdefault((annotation.image, annotation.box), f'{annotation.image}: box {list(annotation.box)} {problem}')
    return list(found.values())


def write_data_root(out: Path, name: str, prepared: PreparedData, source: SourceData, images: Path) -> None:
    """Write ``annotations/`` and ``manifest.json``, first beside, then in place by renaming: never a half-written root.

    Args:
        out: the data root; what else it holds is left alone.
        name: the data set's name.
        prepared: from ``match_images``.
        source: where it came from.
        images: image folder; stored relative to ``out`` if it lies inside, otherwise absolute.

    Raises:
        DataError: nothing to write, or ``out`` holds annotations that this function did not make.
    """
    if not prepared.annotations:
        raise DataError(f'none of the images of {name} is in {images}')
    final, fresh, old = (out / folder for folder in ('annotations', 'annotations.new', 'annotations.old'))
    if final.exists() and not (out / 'manifest.json').exists():
        raise DataError(f'{final} exists, but {out} has no manifest.json, so this tool did not make it: choose another --out')
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    made_here = not out.exists()
    try:
        with replacing(out / 'manifest.json') as manifest:
            fresh.mkdir(parents=True)
            for split in prepared.counts:
                write_annotations(fresh / f'{split}.jsonl', (a for a in prepared.annotations if a.split == split))
            _write_objects(fresh / 'objects.jsonl', prepared.annotations, source)
            manifest.write_text(json.dumps(_manifest(out, name, prepared, source, images), indent=2) + '\n', encoding='utf-8')
            if final.exists():
                final.rename(old)
    except BaseException:
        if old.exists():
            old.rename(final)
        shutil.rmtree(out if made_here else fresh, ignore_errors=True)
        raise
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _write_objects(path: Path, annotations: Iterable[Annotation], source: SourceData) -> None:
    written: set[int | str] = set()
    with path.open('w', encoding='utf-8') as file:
        for annotation in annotations:
            if annotation.image_id in written:
                continue
            written.add(annotation.image_id)
            image = source.images[annotation.image_id]
            file.write(json.dumps({'image_id': annotation.image_id, 'image': annotation.image, 'boxes': image.boxes,
                                   'categories': image.categories}) + '\n')


def _manifest(out: Path, name: str, prepared: PreparedData, source: SourceData, images: Path) -> dict[str, object]:
    root, folder = out.resolve(), images.resolve()
    inside = folder.is_relative_to(root)
    return {
        'dataset': name,
        'images': folder.relative_to(root).as_posix() if inside else folder.as_posix(),
        'splits': {split: dict(zip(('images', 'references', 'expressions'), counts, strict=True))
                   for split, counts in prepared.counts.items()},
        'missing_images': len(prepared.missing),
        'broken_images': len(prepared.broken),
        'blank_expressions': len(source.blank),
        'sources': {path.resolve().as_posix(): sha256_of(path) for path in source.files},
        **({'source': dict(source.about)} if source.about else {}),
        **({'layout': source.layout} if source.layout else {}),
        **({'protocol': source.protocol} if source.protocol else {}),
        'collection': CATALOG[name].collection if name in CATALOG else name,
        'made_by': f'mmduet {__version__}',
    }


def prepare(spec: DatasetSpec, source: Path, images: Path, options: PrepareOptions | None = None,
            progress: Progress | None = None) -> tuple[SourceData, PreparedData]:
    """Read a source and match it with its images; writes nothing.

    Raises:
        DataError: the source cannot be read, its layout is unclear, an expression id occurs twice in a split, or the image
            folder does not exist.
    """
    options = options or PrepareOptions()
    data = spec.read(source, options.layout, options.protocol)
    if options.splits:
        known = list(dict.fromkeys(annotation.split for annotation in data.annotations))
        absent = [split for split in options.splits if split not in known]
        if absent:
            raise DataError(f'{source} has no split {absent[0]!r}, only {", ".join(known)}')
        data = replace(data, annotations=[a for a in data.annotations if a.split in options.splits])
    twice = Counter((annotation.split, annotation.expression_id) for annotation in data.annotations)
    (split, number), count = twice.most_common(1)[0]
    if count > 1:
        raise DataError(f'{source}: expression {number} occurs {count} times in split {split}: ids must differ, and no file '
                        'may be there twice')
    return data, match_images(data, images, options.check_images, options.workers, progress)
