"""RefShapes in RefCOCO's official layout: ``instances.json``, ``refs(unc).p``, a folder of images, and a manifest.

Every byte depends on the arguments only, so that hashes compare across machines.
"""
import json
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mmduet.io.files import sha256_of, write_anew, write_atomically
from mmduet.refshapes.generator import Example, make_example
from mmduet.refshapes.levels import find_level
from mmduet.refshapes.official_layout import ITEMS_OF_A_SCENE, SCENES_OF_A_SPLIT, OfficialLayout, image_name
from mmduet.refshapes.png import encode_png
from mmduet.refshapes.render import check_size
from mmduet.refshapes.scene import SCENE_SIZE, SPLITS

IMAGE_DIR = 'images'
ANNOTATION_FILES = ('instances.json', 'refs(unc).p')
MANIFEST = 'manifest.json'
# The split whose expressions have no target, which the official layout cannot say; one JSON line each.
ABSENT, ABSENT_FILE = 'absent', 'absent.jsonl'
# What the standard set has; smaller requests are its first scenes.
STANDARD_COUNTS = {'train': 32000, 'val': 5000, 'testA': 5000, 'testB': 5000, 'heldout': 5000}
CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What scenes are made from.

    Attributes:
        seed: the same seed gives the same data whatever the other splits' counts are.
        level: of difficulty.
        size: pixels a side.
        expressions: at most this many expressions of a target of a training scene; other splits have one.
        targets: at most this many objects of a training scene are targets; other splits have one.
    """

    seed: int = 0
    level: str = 'standard'
    size: int = SCENE_SIZE
    expressions: int = 1
    targets: int = 1


def write_official_layout(out: Path, counts: Mapping[str, int], recipe: Recipe = Recipe(),
                          workers: int = 1) -> dict[str, Any]:
    """Write scenes and expressions; existing files of the same name are replaced, the annotations last.

    Args:
        out: folder to write to; made if needed.
        counts: scenes of each split.
        recipe: what they are made from.
        workers: processes; 1 works in this one.

    Returns:
        The manifest: recipe, scenes and expressions of each split, and ``sha256`` of the list ``sha256sum`` prints of all
        files in the order of their names, but those of split ``absent``, of which ``files`` has its own.

    Raises:
        ValueError: an unknown split or level, a value out of its range, or files of something else in the folder.
    """
    _check_request(counts, recipe)
    _check_place(out)
    images = out / IMAGE_DIR
    images.mkdir(parents=True, exist_ok=True)
    for name in (*ANNOTATION_FILES, ABSENT_FILE, MANIFEST):
        (out / name).unlink(missing_ok=True)
    jobs = [(split, index) for split, count in counts.items() for index in range(count)]
    layout, hashes, lines = OfficialLayout(recipe.size), {}, []
    for (split, index), (example, digest) in zip(jobs, _write_scenes(jobs, images, recipe, workers), strict=True):
        said = example.expressions
        if split == ABSENT:
            lines.append(json.dumps({'image': image_name(split, index), 'expression': said[0].text, 'kind': said[0].kind,
                                     'width': recipe.size, 'height': recipe.size, 'sha256': digest}) + '\n')
            continue
        layout.add(split, index, example.scene, said, example.others)
        hashes[f'{IMAGE_DIR}/{image_name(split, index)}'] = digest
    contents = (json.dumps(layout.instances()).encode(), pickle.dumps(layout.refs, protocol=2))
    for name, content in zip(ANNOTATION_FILES, contents, strict=True):
        write_atomically(out / name, content)
        hashes[name] = sha256_of(content)
    manifest = {
        'dataset': 'refshapes', **asdict(recipe), 'scenes': dict(counts),
        'sentences': {split: len(lines) if split == ABSENT else
                      sum(len(ref['sentences']) for ref in layout.refs if ref['split'] == split) for split in counts},
        'files': {name: hashes[name] for name in ANNOTATION_FILES}, 'sha256': hash_of_list(hashes),
    }  # yapf: disable
    if lines:
        write_atomically(out / ABSENT_FILE, ''.join(lines))
        manifest['files'][ABSENT_FILE] = sha256_of(out / ABSENT_FILE)
    write_atomically(out / MANIFEST, json.dumps(manifest, indent=2) + '\n')
    return manifest


def _check_request(counts: Mapping[str, int], recipe: Recipe) -> None:
    find_level(recipe.level)
    if not set(counts) <= set(SPLITS):
        raise ValueError(f'RefShapes has the splits {", ".join(SPLITS)}, not {sorted(set(counts) - set(SPLITS))}')
    check_size(recipe.size)  # before any process is started
    said = recipe.targets * recipe.expressions if recipe.targets > 0 else 0
    if not 1 <= said <= ITEMS_OF_A_SCENE or any(not 0 <= count <= SCENES_OF_A_SPLIT for count in counts.values()):
        raise ValueError(f'a split has up to {SCENES_OF_A_SPLIT} scenes and a scene 1 to {ITEMS_OF_A_SCENE} expressions, got '
                         f'{dict(counts)} and {recipe.expressions} of {recipe.targets} targets')


def _check_place(out: Path) -> None:
    """Raise a ``ValueError`` where what would be replaced is another's: RefCOCO has files of these names, a data root one."""
    there = next((name for name in (*ANNOTATION_FILES, MANIFEST) if (out / name).exists()), None)
    if there is not None and not any((out / IMAGE_DIR).glob('refshapes_*')):
        raise ValueError(f'{out / there} is not of RefShapes and would be replaced: choose another folder')


def hash_of_list(hashes: Mapping[str, str]) -> str:
    """SHA-256 of what ``sha256sum`` prints of files, given by name, in the order of their names' bytes."""
    lines = (f'{hashes[name]}  {name}\n' for name in sorted(hashes, key=str.encode))
    return sha256_of(line.encode() for line in lines)


def _write_scenes(jobs: list[tuple[str, int]], images: Path, recipe: Recipe, workers: int) -> list[tuple[Example, str]]:
    work = partial(_write_scene, images=images, recipe=recipe)
    if workers == 1:
        return [work(job) for job in jobs]
    # spawn: safe whatever threads the caller has running
    with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
        return list(pool.map(work, jobs, chunksize=CHUNK))


def _write_scene(job: tuple[str, int], images: Path, recipe: Recipe) -> tuple[Example, str]:
    """Write an image; returns its example and SHA-256."""
    split, index = job
    expressions, targets = (recipe.expressions, recipe.targets) if split == 'train' else (1, 1)
    example = make_example(recipe.seed, split, index, recipe.size, expressions, recipe.level, targets)
    content = encode_png(example.image)
    write_anew(images / image_name(split, index), content)
    # The image is on disk: it need not travel between processes.
    return replace(example, image=example.image[:0]), sha256_of(content)
