"""From an official source and a folder of images to a data root that ``GroundingDataset`` reads."""
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmduet import __version__
from mmduet.datasets.annotation_file import Annotation, write_annotations
from mmduet.datasets.errors import DataError, ImageError
from mmduet.datasets.image_io import read_photo
from mmduet.datasets.readers import DatasetSpec, SourceData

Counts = tuple[int, int, int]


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
    """Path relative to ``folder`` by file name, of the files in it and in its sub-folders (``train2014``, ``val2017``, ...).

    Raises:
        DataError: the folder does not exist.
    """
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
    """Images, references and expressions of each split, in order of appearance."""
    images: dict[str, set[int | str]] = {}
    references: dict[str, set[int | str | None]] = {}
    expressions: Counter[str] = Counter()
    for annotation in annotations:
        images.setdefault(annotation.split, set()).add(annotation.image_id)
        references.setdefault(annotation.split, set()).add(annotation.ref_id)
        expressions[annotation.split] += 1
    return {split: (len(images[split]), len(references[split]), expressions[split]) for split in images}


def match_images(source: SourceData, images: Path, check_images: bool = False, workers: int = 2) -> PreparedData:
    """Find the file of each image and leave out, by name, the expressions that have none.

    Args:
        source: what a reader returned.
        images: folder of the images.
        check_images: also decode every image and compare its size with the source.
        workers: threads that decode.
    """
    there = index_images(images)
    used = dict.fromkeys(annotation.image_id for annotation in source.annotations)
    names: dict[int | str, str] = {}
    missing: list[str] = []
    for image_id in used:
        candidates = source.images[image_id].file_names
        name = next((there[candidate] for candidate in candidates if candidate in there), None)
        if name is None:
            missing.append(' or '.join(candidates))
        else:
            names[image_id] = name
    broken: list[str] = []
    if check_images:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            tasks = {image_id: pool.submit(find_image_problem, images / name, source.images[image_id].width,
                                           source.images[image_id].height) for image_id, name in names.items()}
        problems = {image_id: problem for image_id, task in tasks.items() if (problem := task.result())}
        broken = list(problems.values())
        names = {image_id: name for image_id, name in names.items() if image_id not in problems}
    kept = [replace(annotation, image=names[annotation.image_id])
            for annotation in source.annotations if annotation.image_id in names]
    return PreparedData(annotations=kept, source_counts=count_by_split(source.annotations), counts=count_by_split(kept),
                        missing=missing, broken=broken, odd_boxes=find_odd_boxes(kept))


def find_image_problem(path: Path, width: int, height: int) -> str | None:
    """What keeps an image file from being used, as a sentence; None for a good one of ``width`` x ``height`` pixels."""
    try:
        photo = read_photo(path)
    except ImageError as error:
        return str(error)
    if photo.shape[:2] != (height, width):
        return f'{path} is {photo.shape[1]} x {photo.shape[0]} pixels, its annotation says {width} x {height}'
    return None


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
    fresh.mkdir(parents=True)
    for split in prepared.counts:
        write_annotations(fresh / f'{split}.jsonl', (a for a in prepared.annotations if a.split == split))
    _write_objects(fresh / 'objects.jsonl', prepared.annotations, source)
    manifest = out / 'manifest.json.new'
    manifest.write_text(json.dumps(_manifest(out, name, prepared, source, images), indent=2) + '\n', encoding='utf-8')
    if final.exists():
        final.rename(old)
    manifest.replace(out / 'manifest.json')
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
        'made_by': f'mmduet {__version__}',
    }


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def prepare(spec: DatasetSpec, source: Path, images: Path, check_images: bool = False,
            workers: int = 2) -> tuple[SourceData, PreparedData]:
    """Read a source and match it with its images; writes nothing.

    Raises:
        DataError: the source cannot be read or the image folder does not exist.
    """
    data = spec.read(spec.locate(source))
    return data, match_images(data, images, check_images, workers)
