"""What may be wrong with a prepared data root, found before anybody trains on it; every finding names file, line and id."""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmduet.datasets.annotation_file import NO_BOX, Annotation, annotation_lines, parse_annotation
from mmduet.datasets.box_units import are_fractions, doubt
from mmduet.datasets.image_names import ImageIndex, image_file_names
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.datasets.preparation import COUNT_NAMES, Progress, box_arrays, count_by_split, find_odd_boxes, open_images
from mmduet.datasets.readers import CATALOG
from mmduet.io.errors import AnnotationError, DataError
from mmduet.io.image_archives import is_archive, open_archive
from mmduet.io.text import LOST, counted, repair_mojibake

MISREAD = 'words read in the wrong encoding'


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong, or only worth knowing."""

    kind: str  # what sort of thing, in words; findings of a kind are shown together
    where: str  # ``file:line``, or the file
    message: str  # what is wrong
    expression_id: str = ''  # of the expression it is about; empty where it is about none
    fatal: bool = True  # whether the data should not be used as they are

    def __str__(self) -> str:
        about = f' expression {self.expression_id}:' if self.expression_id else ''
        return f'{self.where}:{about} {self.message}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A good line of an annotation file and where it stands."""

    where: str
    annotation: Annotation

    def finding(self, kind: str, message: str, fatal: bool = True) -> Finding:
        """Something that is wrong with it."""
        return Finding(kind=kind, where=self.where, expression_id=self.annotation.expression_id, message=message, fatal=fatal)


def check_data_root(root: Path, splits: Sequence[str] = (), workers: int = 4,
                    progress: Progress | None = None, decode: bool = True) -> list[Finding]:
    """Everything that is wrong with a data root, the gravest kinds first.

    Lines that parse, ids that are unique, counts as published, boxes with area and inside, images that are there, decode and
    have their size, expressions said twice of a box or once of several, and images of more than one split.

    Args:
        splits: only these; empty for all that were published and all that are there.
        workers: threads that decode images.
        progress: called with how many images of how many were decoded.
        decode: False reads only the header of each image, for who has just decoded them all.

    Raises:
        DataError: it is no data root, or has one of ``splits`` neither there nor published.
    """
    manifest = read_manifest(root)
    findings: list[Finding] = []
    lines: list[Line] = []
    # One that was published and is not there is a finding, of its counts.
    published = CATALOG[manifest['dataset']].published if manifest['dataset'] in CATALOG else {}
    split_files(root, [split for split in splits if split not in published])
    for split, path in split_files(root).items():
        if not splits or split in splits:
            lines += _read(path, findings)
    findings += check_counts(root / 'manifest.json', manifest, lines, splits)
    findings += [*_check_boxes(lines), *_check_units(lines, root), *_check_words(lines), *_check_repeats(lines)]
    findings += _check_splits(lines, manifest)
    findings += _check_images(root / manifest['images'], lines, workers, progress, decode)
    return sorted(findings, key=lambda finding: not finding.fatal)


def _read(path: Path, findings: list[Finding]) -> Iterator[Line]:
    """Good lines of a file; the others become findings."""
    seen: dict[str, str] = {}
    for where, text in annotation_lines(path):
        try:
            annotation = parse_annotation(text, where)
        except AnnotationError as error:
            message = str(error).removeprefix(f'{where}: ')
            findings.append(Finding(kind='lines that cannot be read', where=where, message=message))
            continue
        line = Line(where=where, annotation=annotation)
        first = seen.setdefault(annotation.expression_id, where)
        if first != where:
            findings.append(line.finding('expression ids that repeat', f'line {first.rpartition(":")[2]} has the same id'))
        if annotation.split != path.stem:
            problem = f'its split is {annotation.split}, the file is that of {path.stem}'
            findings.append(line.finding('lines in the wrong file', problem))
        yield line


def check_counts(path: Path, manifest: dict[str, Any], lines: Sequence[Line], splits: Sequence[str]) -> Iterator[Finding]:
    """Images, references and expressions other than published or than the manifest says; of all splits if none is named."""
    spec = CATALOG.get(manifest['dataset'])
    published = spec.published_for(manifest.get('layout', '')) if spec else {}
    counts = count_by_split(line.annotation for line in lines)
    numbered = {split: all(line.annotation.ref_id is not None for line in lines if line.annotation.split == split)
                for split in counts}
    for split in splits or [*dict.fromkeys([*published, *counts])]:
        found = counts.get(split, (0, 0, 0))
        for name, number, known in zip(COUNT_NAMES, found, published.get(split, (None, None, None)), strict=True):
            if known is not None and number != known:
                # Boxes stand for references that a source does not number, and two references may share one.
                sure = name != 'references' or numbered.get(split, True)
                kind = 'counts that are not the published ones' if sure else 'counts of references, told by their boxes'
                yield Finding(kind=kind, where=str(path), fatal=sure,
                              message=f'{split} has {counted(number, name[:-1])}, published are {known:,} '
                                      f'({number - known:+,})')
            official = spec.published.get(split, found)[COUNT_NAMES.index(name)] if spec else None
            if known is not None and official is not None and official != known == number:
                yield Finding(kind='counts of this layout that are not the published ones', where=str(path), fatal=False,
                              message=f'{split} has {counted(number, name[:-1])} as all files of this layout, published are '
                                      f'{official:,} ({number - official:+,})')
        said = manifest.get('splits', {}).get(split)
        if said is not None and said != dict(zip(COUNT_NAMES, found, strict=True)):
            yield Finding(kind='files changed since they were prepared', where=str(path),
                          message=f'{split} has {" / ".join(map(str, found))} {" / ".join(COUNT_NAMES)}, the manifest says '
                                  f'{" / ".join(map(str, said.values()))}')


def _check_boxes(lines: Sequence[Line]) -> Iterator[Finding]:
    for line in lines:
        for problem in find_odd_boxes([line.annotation]):
            (x1, y1, x2, y2), width, height = line.annotation.box or NO_BOX, line.annotation.width, line.annotation.height
            misses = x2 <= x1 or y2 <= y1 or x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0
            kind = 'boxes without area or outside their image' if misses else 'boxes that stick out of their image'
            yield line.finding(kind, problem, fatal=misses)


def _check_units(lines: Sequence[Line], root: Path) -> Iterator[Finding]:
    boxes, sizes = box_arrays([line.annotation for line in lines])
    for index in np.flatnonzero(are_fractions(boxes, sizes)):
        line = lines[index]
        yield line.finding('boxes that look like fractions', f'box {boxes[index].tolist()} lies in the first pixels of an '
                           f'image of {line.annotation.width} x {line.annotation.height}: pixels are needed')
    if words := doubt(boxes, sizes):
        yield Finding(kind='boxes of another unit or form', where=str(root), message=words, fatal=False)


def _check_words(lines: Sequence[Line]) -> Iterator[Finding]:
    for line in lines:
        if repaired := repair_mojibake(line.annotation.expression):
            yield line.finding(MISREAD, f'{line.annotation.expression!r} may be {repaired!r}', fatal=False)
        elif LOST in line.annotation.expression:
            yield line.finding(MISREAD, f'{line.annotation.expression!r} has lost a letter', fatal=False)


def _check_repeats(lines: Sequence[Line]) -> Iterator[Finding]:
    first: dict[tuple[str, int | str, str], Line] = {}
    for line in lines:
        annotation = line.annotation
        key = (annotation.split, annotation.image_id, annotation.expression.lower())
        earlier = first.setdefault(key, line)
        if earlier is not line:
            same = earlier.annotation.box == annotation.box
            yield line.finding(
                'expressions said twice of a box' if same else 'expressions said of several boxes of an image', fatal=False,
                message=f'{annotation.expression!r} is also said of {"this" if same else "another"} box by expression '
                        f'{earlier.annotation.expression_id} ({earlier.where})')


def _check_splits(lines: Sequence[Line], manifest: dict[str, Any]) -> Iterator[Finding]:
    by_design = manifest['dataset'] in CATALOG and CATALOG[manifest['dataset']].shares_images
    first: dict[tuple[str, int | str], dict[str, Line]] = {}
    for line in lines:
        # By its id, and by its file, which ids of two forms would hide.
        by_id = first.setdefault(('id', line.annotation.image_id), {})
        by_file = first.setdefault(('file', line.annotation.image), {})
        splits = {**by_file, **by_id}
        if line.annotation.split in splits:
            continue
        for earlier in splits.values():
            reason = ', as the makers of the data set split objects' if by_design else ''
            yield line.finding('images of several splits', f'image {line.annotation.image} is also in split '
                               f'{earlier.annotation.split} ({earlier.where}){reason}', fatal=not by_design)
        for known in (by_id, by_file):
            known[line.annotation.split] = line


def _hint(index: ImageIndex, name: str) -> str:
    """Where a missing image may be, for a message."""
    try:
        other = index.find(image_file_names(name))
    except DataError as error:
        return f'; {error}'
    return f'; it is there as {other}, so prepare the data again' if other else index.nearest(name)


def _check_images(folder: Path, lines: Sequence[Line], workers: int, progress: Progress | None,
                  decode: bool) -> Iterator[Finding]:
    users: dict[str, Line] = {}
    for line in lines:
        users.setdefault(line.annotation.image, line)
    archive = open_archive(folder) if is_archive(folder) else None
    missing = {name for name in users if not (name in archive if archive is not None else (folder / name).is_file())}
    index = ImageIndex(folder) if missing and (archive is not None or folder.is_dir()) else None
    present = []
    for name, line in users.items():
        if name not in missing:
            present.append(line)
            continue
        hint = '' if index is None else _hint(index, name)
        yield line.finding('images that are missing', f'image {folder / name} does not exist{hint}')
    files = [(folder / line.annotation.image, (line.annotation.width, line.annotation.height)) for line in present]
    for line, result in zip(present, open_images(files, decode, workers, progress), strict=True):
        if isinstance(result, str):
            yield line.finding('images that cannot be used', result)
