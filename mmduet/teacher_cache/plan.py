"""What a cache will hold, before a teacher is run: which rows, in which shards, and how large it gets."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.datasets import GroundingDataset, RandomFlip
from mmduet.datasets.transforms.direction_words import can_mirror, swap_sides
from mmduet.datasets.transforms.geometry import mirror_boxes
from mmduet.teacher_cache.store import CacheIndex, Shard

# A shard is what a stopped run loses: about two megabytes for CLIP ViT-B/16, minutes of it on a CPU.
TEXTS_PER_SHARD, IMAGES_PER_SHARD = 2048, 128
Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Sizes of a teacher's targets, and what goes with its cosines.

    Attributes:
        embed_dims: D.
        feature_size: (h, w) of its map of patch features; None without one.
        views: 2 where images are also cached mirrored, else 1.
        logit_scale, logit_bias: what it multiplies its cosines by, and adds then; None for one without a bias.
    """

    embed_dims: int
    feature_size: tuple[int, int] | None
    views: int
    logit_scale: float
    logit_bias: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlan:
    """The content of a section; N images, M crops, E expressions; crops and expressions lie in the order of their images.

    Attributes:
        index: of the section.
        images: (N,) paths.
        sizes: (N, 2) width and height, pixels.
        crops: (M, 4) xyxy boxes, pixels of the image.
        crop_ends, expression_ends: (N,) where the crops and expressions of each image end.
    """

    index: CacheIndex
    images: list[str]
    sizes: NDArray[np.int64]
    crops: Boxes
    crop_ends: list[int]
    expression_ends: list[int]

    def boxes_of(self, image: int, mirrored: bool) -> Boxes:
        """(m, 4) boxes to crop out of an image, or out of its mirror image."""
        start = self.crop_ends[image - 1] if image else 0
        boxes = self.crops[start:self.crop_ends[image]]
        return mirror_boxes(boxes, int(self.sizes[image, 0])) if mirrored else boxes


def mirrors(dataset: GroundingDataset) -> bool:
    """Whether the pipeline of a data set may mirror an image."""
    return any(isinstance(transform, RandomFlip) and transform.prob > 0 for transform in dataset.pipeline)


def plan_section(dataset: GroundingDataset, split: str, mirrored: bool, distractors: bool = False) -> CachePlan:
    """List what is to be encoded of one split of a data set.

    Args:
        dataset: in training mode; its annotations are read, no pixel.
        split: which of its splits.
        mirrored: the words as they are with the mirrored image are wanted too.
        distractors: crops of the other annotated boxes are wanted too.
    """
    by_image: dict[str, list[dict[str, Any]]] = {}
    for index in range(len(dataset)):
        item = dataset.describe(index)
        if item['split'] == split:
            by_image.setdefault(item['img_path'], []).append(item)
    texts: dict[str, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in ('ids', 'image', 'crop', 'text', 'mirrored_text', 'others')}
    crops: list[tuple[float, ...]] = []
    crop_ends, expression_ends = [], []
    for number, items in enumerate(by_image.values()):
        rows_of_boxes: dict[tuple[float, ...], int] = {}
        for item in items:
            boxes = [item['box'], *(item.get('distractors', []) if distractors else [])]
            rows = [rows_of_boxes.setdefault(tuple(box.tolist()), len(crops) + len(rows_of_boxes)) for box in boxes]
            columns['ids'].append(item['expression_id'])
            columns['image'].append(number)
            columns['crop'].append(rows[0])
            columns['others'].append(rows[1:])
            text = item['text']
            columns['text'].append(texts.setdefault(text, len(texts)))
            swapped = texts.setdefault(swap_sides(text)[0], len(texts)) if mirrored and can_mirror(text) else -1
            columns['mirrored_text'].append(swapped)
        crops += rows_of_boxes
        crop_ends.append(len(crops))
        expression_ends.append(len(columns['ids']))
    others = columns.pop('others')
    firsts = [items[0] for items in by_image.values()]
    return CachePlan(index=CacheIndex(texts=list(texts), others=others if distractors else None, **columns),
                     images=list(by_image), sizes=np.array([[item['width'], item['height']] for item in firsts]),
                     crops=np.array(crops).reshape(-1, 4), crop_ends=crop_ends, expression_ends=expression_ends)


def lay_out(texts: int, crop_ends: list[int], expression_ends: list[int], geometry: Geometry) -> list[Shard]:
    """The shards of a section: first those of texts, then those of images."""
    shards = []
    for number, start in enumerate(range(0, texts, TEXTS_PER_SHARD)):
        rows = min(TEXTS_PER_SHARD, texts - start)
        shards.append(Shard(name=f'text-{number:05d}.f16', parts={'text': (rows, geometry.embed_dims)}))
    crop_start = expression_start = 0
    for number, start in enumerate(range(0, len(crop_ends), IMAGES_PER_SHARD)):
        end = min(start + IMAGES_PER_SHARD, len(crop_ends))
        views = (geometry.views, geometry.embed_dims)
        parts: dict[str, tuple[int, ...]] = {'image': (end - start, *views), 'crop': (crop_ends[end - 1] - crop_start, *views)}
        if geometry.feature_size is not None:
            parts['similarity'] = (expression_ends[end - 1] - expression_start, geometry.views, *geometry.feature_size)
        shards.append(Shard(name=f'image-{number:05d}.f16', parts=parts))
        crop_start, expression_start = crop_ends[end - 1], expression_ends[end - 1]
    return shards


def describe_section(plan: CachePlan, split: str, dataset: GroundingDataset, geometry: Geometry,
                     teacher: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the manifest that decides whether two runs write the same section.

    Args:
        plan: of the section.
        split: which split it is.
        dataset: the split's.
        geometry: of the teacher.
        teacher: what ``identify_teacher`` says.
    """
    first = dataset.describe(dataset_position(dataset, split))
    return {
        'teacher': dict(teacher),
        'data': {'dataset': first['dataset_name'], 'split': split, 'annotations_sha256': first['data_hash'],
                 'objects_sha256': first.get('objects_hash') if plan.index.others is not None else None},
        'views': ['image', 'mirrored image'][:geometry.views],
        'embed_dims': geometry.embed_dims,
        'logit_scale': geometry.logit_scale,
        'logit_bias': geometry.logit_bias,
        'feature_size': None if geometry.feature_size is None else list(geometry.feature_size),
        'distractors': plan.index.others is not None,
        'counts': {'expressions': len(plan.index.ids), 'texts': len(plan.index.texts), 'images': len(plan.images),
                   'crops': len(plan.crops)},
    }


def dataset_position(dataset: GroundingDataset, split: str) -> int:
    """Index of the first expression of a split."""
    return next(index for index in range(len(dataset)) if dataset.annotations[index].split == split)
