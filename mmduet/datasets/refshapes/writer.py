"""RefShapes in RefCOCO's official layout: ``instances.json``, ``refs(unc).p`` and a folder of images."""
import json
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

from mmduet.datasets.refshapes.expressions import Expression
from mmduet.datasets.refshapes.generator import make_example
from mmduet.datasets.refshapes.scene import SCENE_SIZE, SHAPES, Scene

IMAGE_DIR = 'images'
CHUNK = 100


def write_official_layout(out: Path, counts: Mapping[str, int], seed: int = 0, size: int = SCENE_SIZE, expressions: int = 1,
                          workers: int = 1) -> dict[str, int]:
    """Write scenes and expressions; existing files of the same name are replaced.

    Args:
        out: folder to write to; made if needed.
        counts: scenes of each split, ``train``, ``val``, ``testA`` or ``testB``.
        seed: the same seed gives the same data whatever the other splits' counts or the workers are.
        size: pixels a side.
        expressions: at most this many expressions of a training scene; other splits have one.
        workers: processes; 1 works in this one.

    Returns:
        Expressions written of each split.

    Raises:
        ValueError: an unknown split or a value out of its range.
    """
    images = out / IMAGE_DIR
    images.mkdir(parents=True, exist_ok=True)
    jobs = [(split, index) for split, count in counts.items() for index in range(count)]
    work = partial(_write_scene, images=images, seed=seed, size=size, expressions=expressions)
    if workers > 1:
        # spawn: safe whatever threads the caller has running
        with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
            written = list(pool.map(work, jobs, chunksize=CHUNK))
    else:
        written = [work(job) for job in jobs]
    layout = _Layout(size)
    for (split, index), (scene, said) in zip(jobs, written, strict=True):
        layout.add(split, index, scene, said)
    (out / 'instances.json').write_text(json.dumps(layout.instances()), encoding='utf-8')
    with (out / 'refs(unc).p').open('wb') as file:
        pickle.dump(layout.refs, file, protocol=2)
    return {split: sum(len(ref['sentences']) for ref in layout.refs if ref['split'] == split) for split in counts}


def image_name(split: str, index: int) -> str:
    """File name of a scene."""
    return f'refshapes_{split}_{index:06d}.png'


def _write_scene(job: tuple[str, int], images: Path, seed: int, size: int,
                 expressions: int) -> tuple[Scene, tuple[Expression, ...]]:
    split, index = job
    example = make_example(seed, split, index, size, expressions if split == 'train' else 1)
    path = images / image_name(split, index)
    if not cv2.imwrite(str(path), example.image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f'{path} could not be written')
    return example.scene, example.expressions


class _Layout:
    """Collects the two annotation files; ids count from 1, as COCO's do."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.refs: list[dict[str, Any]] = []
        self.sentences = 0

    def add(self, split: str, index: int, scene: Scene, said: tuple[Expression, ...]) -> None:
        image_id, first_id = len(self.images) + 1, len(self.annotations) + 1
        name = image_name(split, index)
        self.images.append({'id': image_id, 'file_name': name, 'width': self.size, 'height': self.size})
        for item, (x1, y1, x2, y2) in zip(scene.objects, scene.boxes(self.size).tolist(), strict=True):
            self.annotations.append({
                'id': len(self.annotations) + 1, 'image_id': image_id, 'category_id': SHAPES.index(item.shape) + 1,
                'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1), 'iscrowd': 0, 'segmentation': [],
                'colour': item.colour, 'size': item.size,
            })  # yapf: disable
        annotation_id = first_id + scene.target
        sentences = [self._sentence(expression) for expression in said]
        self.refs.append({
            'ref_id': len(self.refs) + 1, 'ann_id': annotation_id, 'category_id': SHAPES.index(scene.referent.shape) + 1,
            'image_id': image_id, 'file_name': f'{name[:-4]}_{annotation_id}.png', 'split': split,
            'sent_ids': [sentence['sent_id'] for sentence in sentences], 'sentences': sentences,
        })

    def _sentence(self, expression: Expression) -> dict[str, Any]:
        self.sentences += 1
        return {'sent_id': self.sentences, 'sent': expression.text, 'raw': expression.text, 'tokens': list(expression.tokens),
                'kind': expression.kind}

    def instances(self) -> dict[str, Any]:
        categories = [{'id': number, 'name': shape, 'supercategory': 'shape'} for number, shape in enumerate(SHAPES, 1)]
        return {'info': {'description': 'RefShapes'}, 'licenses': [], 'categories': categories, 'images': self.images,
                'annotations': self.annotations}
