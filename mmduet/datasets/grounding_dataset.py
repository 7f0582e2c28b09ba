"""The dataset: one item per expression of a data root."""
import json
import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mmduet.datasets.annotation_file import NO_BOX, AnnotationStore, Box, annotation_lines, box_problem
from mmduet.datasets.grouped_index import group_of
from mmduet.datasets.image_names import image_id_of_coco
from mmduet.datasets.leakage import COCO, collection_of
from mmduet.datasets.manifest import read_manifest, split_files
from mmduet.datasets.transforms.shared_view import OWN, run_pipeline, share_equal_views
from mmduet.io.errors import AnnotationError, DataError, ImageError
from mmduet.io.files import sha256_of
from mmduet.io.image_archives import is_archive, open_archive
from mmduet.io.locks import reading
from mmduet.registry import DATASETS, TRANSFORMS

Item = dict[str, Any]
Encode = Callable[[str], list[int]]
Boxes = NDArray[np.float64]


@DATASETS.register_module()
class GroundingDataset(Dataset[Item]):
    """Expressions of a data root made by ``mmduet prepare``, each with its image and box.

    Nothing is replaced or dropped: an image that cannot be read raises. In training a box is clipped to its image, to no less
    than a pixel, and the boxes this changed are counted in one message; in evaluation the official box is kept.

    An item is drawn from (seed, epoch, index) alone, so it does not depend on workers, ranks or a resume; items of a group
    (``ImageGroupSampler``) from that of the group's first. Seed and epoch lie in shared memory, where persistent workers see
    them change.

    Args:
        data_root: folder with ``manifest.json`` and ``annotations/<split>.jsonl``.
        splits: which of them, in this order.
        pipeline: configs of transforms.
        image_dir: folder of the images, or a zip or tar of it as it was downloaded, instead of the manifest's.
        test_mode: evaluation instead of training.
        seed: of the augmentation; usually ``EpochSampler`` sets it to the run's.
        first: only so many expressions of each split, from its beginning, so that a smaller number is part of a larger one;
            None for all.

    Raises:
        DataError: the data root, a split or an annotation is missing or wrong; says where.
    """

    def __init__(self, data_root: str | Path, splits: Sequence[str], pipeline: Sequence[dict[str, Any]],
                 image_dir: str | Path | None = None, test_mode: bool = False, seed: int = 0,
                 first: int | None = None) -> None:
        self.data_root = Path(data_root)
        self.test_mode = test_mode
        if isinstance(splits, str) or not splits:
            raise DataError(f"splits must be a list of names such as ['val', 'testA'], got {splits!r}")
        with reading(self.data_root / 'annotations'):
            manifest = read_manifest(self.data_root)
            self.is_of_coco = collection_of(self.data_root) == COCO
            files = split_files(self.data_root, splits, ': choose with --splits, or in training with --train-splits, '
                                '--val-splits and --test-splits')
            self.annotations = AnnotationStore([files[split] for split in splits], first)
            objects = self.data_root / 'annotations' / 'objects.jsonl'
            self._objects = ObjectBoxes(objects) if objects.exists() and not test_mode else None
        self.image_dir = self.data_root / (image_dir or manifest['images'])
        # Its directory is read here, once for all workers: what is forked shares it, what is spawned is sent it.
        self._archive = open_archive(self.image_dir) if is_archive(self.image_dir) else None
        protocol = manifest.get('protocol')
        self.metainfo: dict[str, Any] = {
            'dataset_name': f'{manifest["dataset"]} ({protocol})' if protocol else manifest['dataset'], 'splits': list(splits)}
        self.pipeline: list[Callable[[Item], Item]] = [TRANSFORMS.build(transform) for transform in pipeline]
        self._encode: Encode | None = None
        self._coco_folders: tuple[str, ...] = ()
        self._state = torch.tensor([seed, 0], dtype=torch.int64).share_memory_()
        if not test_mode:
            if np.isnan(self.annotations.boxes).any():
                raise DataError(f'{self.data_root}: expressions of {"+".join(splits)} have no target box to train with')
            self._report_clipped_boxes()

    def set_epoch(self, epoch: int) -> None:
        """Draw the augmentations of another epoch from now on, in every worker."""
        self._state[1] = epoch

    def set_seed(self, seed: int) -> None:
        """Draw the augmentations of another run from now on, in every worker."""
        self._state[0] = seed

    def set_tokenizer(self, encode: Encode) -> None:
        """Let items carry ``token_ids``, ``encode`` of their words as augmented, made in the workers."""
        self._encode = encode

    def set_coco_folders(self, folders: Iterable[Path]) -> None:
        """Know files in these folders of COCO's images by COCO's ids, whatever data set this is."""
        self._coco_folders = tuple(f'{os.path.realpath(folder)}{os.sep}' for folder in folders)

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Item:
        return (self._draw_items if draws_one_by_one(self, GroundingDataset) else self.__getitems__)([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Items of a batch; those of a group (``GroupedIndex``), in evaluation those of an image, share their ``inputs``.

        PyTorch's loader asks for batches, so that a subclass with a ``__getitem__`` of its own is asked for each item here: it
        decodes an image once for each, and those that come out equal share it.
        """
        if draws_one_by_one(self, GroundingDataset):
            return self.with_tokens(share_equal_views([self[index] for index in indices], self._groups(indices)))
        return self._draw_items(indices)

    def _draw_items(self, indices: Sequence[int]) -> list[Item]:
        groups = self._groups(indices)
        drawn = {group: dict(zip(group, self._draw(group), strict=True)) for group in dict.fromkeys(groups)}
        return [drawn[group][index] for index, group in zip(indices, groups, strict=True)]

    def with_tokens(self, items: list[Item]) -> list[Item]:
        """The items, whose ``token_ids`` are those of their words; as they are without a tokenizer."""
        if self._encode is not None:
            for item in items:
                item['data_samples'].set_metainfo({'token_ids': self._encode(item['data_samples'].text)})
        return items

    def _groups(self, indices: Sequence[int]) -> list[tuple[int, ...]]:
        """The expressions that share a view with each of ``indices``, itself among them."""
        if not self.test_mode:
            return [group_of(index) for index in indices]
        by_image: dict[str, list[int]] = {}
        for index in dict.fromkeys(indices):
            by_image.setdefault(self.annotations[index].image, []).append(index)
        return [tuple(by_image[self.annotations[index].image]) for index in indices]

    def _draw(self, group: Sequence[int]) -> list[Item]:
        """Items of the expressions of a group, drawn from (seed, epoch, the first of them)."""
        first, *others = group
        results, sizes = self.describe(first), self.annotations.sizes
        if others:
            results['companions'] = [{key: value for key, value in self.describe(index).items() if key in OWN}
                                     for index in others]
        try:
            if odd := [index for index in others if tuple(sizes[index]) != tuple(sizes[first])]:
                raise ImageError(f'{results["img_path"]} has {sizes[first][0]} x {sizes[first][1]} pixels by one annotation '
                                 f'and {sizes[odd[0]][0]} x {sizes[odd[0]][1]} by that of '
                                 f'{self.annotations[odd[0]].expression_id}')
            items = run_pipeline(results, self.pipeline)
        except ImageError as error:
            annotation = self.annotations[first]
            raise ImageError(f'{error} (expression {annotation.expression_id} of split {annotation.split})') from error
        return self.with_tokens(items)

    def image_of(self, index: int) -> str:
        """The image that an expression is about, by a name that is equal for equal images."""
        return self.annotations[index].image

    def describe(self, index: int) -> Item:
        """What the pipeline starts from: paths, words, box and random generator of one expression, no pixels."""
        annotation = self.annotations[index]
        seed, epoch = self._state.tolist()
        return {'coco_id': self._coco_id_of(annotation.image),
                'img_path': str(self.image_dir / annotation.image), 'img_id': annotation.image_id,
                'height': annotation.height, 'width': annotation.width, 'flip': False,
                'dataset_name': self.metainfo['dataset_name'], 'rng': np.random.default_rng([seed, epoch, index]),
                **self._describe_expression(index)}

    def _coco_id_of(self, image: str) -> int | None:
        if not self.is_of_coco:
            path = os.path.realpath(self.image_dir / image) if self._coco_folders else ''
            image = next((path[len(folder):] for folder in self._coco_folders if path.startswith(folder)), '')
        number = image_id_of_coco(image)
        return number if isinstance(number, int) else None

    def _describe_expression(self, index: int) -> Item:
        """What is an expression's own."""
        annotation = self.annotations[index]
        target = annotation.box or NO_BOX
        box = np.array(target if self.test_mode else clip_box(target, annotation.width, annotation.height))
        results: Item = {'text': annotation.expression, 'expression_id': annotation.expression_id,
                         'box': box if annotation.box else None, 'split': annotation.split,
                         'data_hash': self.annotations.hashes[annotation.split]}
        if self.test_mode and annotation.boxes is not None:
            results['accepted_boxes'] = np.array(annotation.boxes)
        if self._objects is not None:
            others = self._objects.others(annotation.image_id, target)
            results.update(distractors=others, distractor_index=np.arange(len(others)), objects_hash=self._objects.hash)
        return results

    def _report_clipped_boxes(self) -> None:
        boxes, sizes = self.annotations.boxes, self.annotations.sizes
        outside = (boxes[:, :2] < -0.5).any(1) | (boxes[:, 2:] > sizes + 0.5).any(1)
        empty = (boxes[:, 2:] <= boxes[:, :2]).any(1)
        odd = np.flatnonzero(outside | empty)
        if len(odd):
            named = ', '.join(self.annotations[int(index)].expression_id for index in odd[:5])
            print_log(f'{self.data_root}: {len(odd)} of {len(self)} boxes have no area or stick out of their image and were '
                      f'clipped for training (expressions {named}{", ..." if len(odd) > 5 else ""})',
                      logger='current', level=30)


def draws_one_by_one(dataset: Dataset[Item], base: type[Any]) -> bool:
    """Whether a subclass of ``base`` has a ``__getitem__`` of its own, and no ``__getitems__``."""
    kind: Any = type(dataset)
    return kind.__getitem__ is not base.__getitem__ and kind.__getitems__ is base.__getitems__


def tell(dataset: Any, method: str, value: Any) -> None:
    """Call ``set_epoch`` or ``set_tokenizer`` of a data set, or of those that PyTorch's wrappers hold; of others nothing."""
    if hasattr(dataset, method):
        getattr(dataset, method)(value)
        return
    for inner in parts_of(dataset):
        tell(inner, method, value)


def parts_of(dataset: Any) -> list[Any]:
    """The data sets that one of PyTorch's wrappers joins (``ConcatDataset``) or wraps (``Subset``); none for any other."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [each for each in inner if each is not None]


def clip_box(box: Box, width: int, height: int) -> Box:
    """The part of a box inside its image, at least one pixel wide and high."""
    x1, y1 = min(max(box[0], 0.0), width - 1.0), min(max(box[1], 0.0), height - 1.0)
    return x1, y1, max(min(box[2], float(width)), x1 + 1), max(min(box[3], float(height)), y1 + 1)


class ObjectBoxes:
    """Boxes of all annotated objects in ``objects.jsonl``, by image, in two arrays that workers share.

    ``hash`` is the file's SHA-256, hexadecimal. An ``AnnotationError`` names a line that does not parse or lacks a field.
    """

    def __init__(self, path: Path) -> None:
        # Arrays from the start: what objects leave behind scatters the rest over pages that each worker would copy.
        self._row: dict[int | str, int] = {}
        ends, corners = array('q', [0]), array('d')
        for where, line in annotation_lines(path):
            try:
                record = json.loads(line)
                for box in record['boxes']:
                    if problem := box_problem(box):
                        raise ValueError(f'a box {problem}')
                    corners.extend(box)
                self._row[record['image_id']] = len(ends) - 1
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise AnnotationError(f'{where}: must have image_id and boxes of four numbers ({error})') from error
            ends.append(len(corners) // 4)
        self.hash = sha256_of(path)
        self._ends = np.array(ends, dtype=np.int64)
        self._boxes: Boxes = np.array(corners, dtype=np.float64).reshape(-1, 4)

    def others(self, image_id: int | str, target: Box) -> Boxes:
        """(n, 4) xyxy boxes of the image but the target's own, pixels."""
        row = self._row.get(image_id)
        if row is None:
            return self._boxes[:0]
        boxes = self._boxes[self._ends[row]:self._ends[row + 1]]
        return boxes[np.abs(boxes - np.array(target)).max(axis=1, initial=0) > 1e-3]
