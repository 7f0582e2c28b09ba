"""What of a ``GroundingBatch`` is computed on the host, from data samples, before it travels to the device."""
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmduet.structures import GroundingBatch, Source, View, draw_canvases
from mmduet.structures.boxes import xyxy_to_cxcywh
from mmduet.structures.target_identity import image_number, stable_number

# Axes of a batch that differ from step to step: how many images it has, and how many other objects are annotated on them; and
# those that have few lengths, for each of which a graph is worth its while.
VARYING = {'pixels': (0, ), 'canvases': (0, ), 'content': (0, ), 'other_boxes': (0, 1), 'has_other': (1, ),
           'other_number': (1, )}
FEW_LENGTHS = {'token_ids': (1, ), 'text_padding': (1, )}


def find_images(images: Sequence[Tensor] | Tensor, samples: Sequence[Any], index: Sequence[int] | Tensor | None
                ) -> tuple[Tensor, list[int], list[int]]:
    """(U, 3, S, S) uint8 canvases, which image each of B expressions is about, and which expression is the first of each image.

    Images come in the order in which expressions first name them.

    Args:
        images: (U, 3, S, S) canvases, as ``grounding_collate`` draws them, or (3, h, w) images: U with an ``index``, B without;
            where some of B are one tensor, it is one image.
        samples: of the B expressions.
        index: image of each expression, in any order, numbers or a tensor of them on the host; None where each brings its own.

    Raises:
        ValueError: numbers of images and expressions do not fit.
    """
    if index is None:
        known: dict[int, int] = {}
        index = [known.setdefault(id(image), len(known)) for image in images] if isinstance(images, Sequence) else \
            list(range(len(images)))
        images = [images[index.index(number)] for number in range(len(known))] if known else images
    index = [int(number) for number in index]
    first = [index.index(number) if number in index else -1 for number in range(len(images))]
    if len(index) != len(samples) or -1 in first or not all(0 <= number < len(images) for number in index):
        raise ValueError(f'{len(images)} images and the index {index} do not fit {len(samples)} expressions')
    order = list(dict.fromkeys(index))
    if order != list(range(len(order))):
        # An expression's image is looked up only where images are shared: elsewhere they come in the order of the expressions.
        images = images[torch.tensor(order)] if isinstance(images, Tensor) else [images[number] for number in order]
        index = [order.index(number) for number in index]
        first = sorted(first)
    if not isinstance(images, Tensor):
        images = draw_canvases(images, [samples[number].canvas for number in first],
                               [samples[number].img_path for number in first])
    return images, index, first


def place_boxes(samples: Sequence[Any], required: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Targets (n, 4) and other annotated boxes (m, 4) of each sample, cxcywh in [0, 1] of its canvas.

    The only place where boxes of a data sample, xyxy in pixels of the image as augmented, become boxes of the canvas.

    Raises:
        ValueError: a target is ``required`` and a sample has none; names the expression.
    """
    targets, others = [], []
    for sample in samples:
        own, rest = (sample.get(field).bboxes.float().cpu() if field in sample else torch.zeros(0, 4)
                     for field in ('gt_instances', 'distractors'))
        if required and not len(own):
            raise ValueError(f'expression {sample.get("expression_id")!r} ({sample.text!r}) has no target box to train with')
        on_canvas = sample.canvas.to_canvas(torch.cat([own, rest]))
        targets.append(on_canvas[:len(own)])
        others.append(on_canvas[len(own):])
    return targets, others


def find_targets(targets: Sequence[Tensor], owner: Sequence[int]) -> dict[str, Tensor]:
    """``first_of_target`` and ``target_index`` of a batch; nothing where all targets differ.

    Args:
        targets: (n, 4) of each of B expressions, on its canvas.
        owner: image of each.
    """
    known: dict[tuple[Any, ...], int] = {}
    index = [known.setdefault((image, *boxes.flatten().tolist()), len(known))
             for boxes, image in zip(targets, owner, strict=True)]
    if len(known) == len(index):
        return {}
    return {'first_of_target': torch.tensor([index.index(number) for number in range(len(known))]),
            'target_index': torch.tensor(index)}


def group_others(others: Sequence[Tensor], samples: Sequence[Any], owner: Sequence[int], images: int
                 ) -> tuple[list[Tensor], Tensor, list[tuple[tuple[int, int], ...]]]:
    """Other boxes by image instead of by expression.

    Args:
        others: (k, 4) of each of B expressions.
        samples: the data samples, with the numbers of the boxes in the data set's list.
        owner: image of each expression, below ``images``.

    Returns:
        (m_u, 4) of each image, (B, m) bool which of its image's columns an expression has, and for each expression the columns
        and numbers of its boxes.
    """
    columns: list[dict[tuple[float, ...], int]] = [{} for _ in range(images)]
    members: list[list[int]] = []
    for boxes, image in zip(others, owner, strict=True):
        known, alone = columns[image], owner.count(image) == 1
        # Two objects of an image may have the same box; among expressions that share an image equal boxes are one object.
        keys = [(*box, float(k)) if alone else tuple(box) for k, box in enumerate(boxes.tolist())]
        members.append([known.setdefault(key, len(known)) for key in keys])
    has = torch.zeros(len(others), max((len(known) for known in columns), default=0), dtype=torch.bool)
    numbers = []
    for row, (member, sample) in enumerate(zip(members, samples, strict=True)):
        has[row, member] = True
        index = sample.distractors.index.tolist() if 'distractors' in sample and 'index' in sample.distractors \
            else range(len(member))
        numbers.append(tuple(zip(member, index, strict=True)))
    rows = [torch.tensor([key[:4] for key in known]).reshape(-1, 4) for known in columns]
    return rows, has, numbers


def number_others(listed: Sequence[Sequence[tuple[int, int]]], columns: int) -> Tensor:
    """(B, columns) int64: which of an expression's own other objects a column is, from 0; 0 where it is none of them.

    Args:
        listed: for each expression the columns of its boxes, in their own order, with their numbers (see ``group_others``).
        columns: how many there are.
    """
    numbers = torch.zeros(len(listed), columns, dtype=torch.int64)
    for row, own in enumerate(listed):
        numbers[row, [column for column, _ in own]] = torch.arange(len(own))
    return numbers


def identify(samples: Sequence[Any]) -> dict[str, Tensor]:
    """The fields of ``TargetIdentity`` of B data samples; zeros, and not whole, where there is no target.

    An image is its id in COCO where its data set is of COCO, or one beside it in joint training whose folder it lies in, and
    else its file, links followed: data sets that share images share the objects on them.
    """
    images, boxes, whole, views = [], [], [], []
    for sample in samples:
        known = sample.get('image_number')  # which a worker has looked up
        images.append(image_number(sample.img_path) if known is None else known)
        width, height = sample.canvas.width / sample.canvas.scale_x, sample.canvas.height / sample.canvas.scale_y
        annotated = 'gt_instances' in sample and len(sample.gt_instances.bboxes) > 0
        pixel_box = sample.gt_instances.bboxes[0].float().cpu() if annotated else torch.zeros(4)
        box = xyxy_to_cxcywh(pixel_box / torch.tensor([width, height] * 2))
        if sample.get('flip', False):
            box[0] = 1 - box[0]
        boxes.append(box)
        whole.append(annotated and abs(height - sample.ori_shape[0]) < 1 and abs(width - sample.ori_shape[1]) < 1)
        views.append(_crop_number(sample.get('crop_window'), width, height) if annotated else 0)
    return {'image': torch.tensor(images), 'boxes': torch.stack(boxes), 'whole': torch.tensor(whole),
            'view': torch.tensor(views)}


def _crop_number(window: Sequence[int] | None, width: float, height: float) -> int:
    """The same for one crop of an image, never 0; 0 where its ``window`` is not known."""
    # A transform of a user's may crop and leave the window as it was: two of its crops would pass for one.
    if window is None or abs(window[2] - window[0] - width) >= 1 or abs(window[3] - window[1] - height) >= 1:
        return 0
    return stable_number(repr(tuple(map(int, window))).encode()) | 1


def view_of(sample: Any) -> View:
    """Which part of its image a data sample shows."""
    height, width = sample.ori_shape
    x1, y1, x2, y2 = sample.get('crop_window', (0, 0, width, height))
    flip = bool(sample.get('flip', False))
    if flip:
        x1, x2 = width - x2, width - x1
    return View(canvas=sample.canvas, flip=flip, window=(x1 / width, y1 / height, x2 / width, y2 / height))


def source_of(sample: Any, others: tuple[tuple[int, int], ...]) -> Source:
    """Where the expression of a data sample comes from."""
    return Source(dataset=sample.get('dataset_name'), split=sample.get('split'), expression_id=sample.get('expression_id'),
                  data_hash=sample.get('data_hash'), objects_hash=sample.get('objects_hash'), others=others)


def stack_rows(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(N, k, 4) of N (k_i, 4) tensors, filled up with zeros, and (N, k) bool, True where a row is real."""
    lengths = torch.tensor([len(row) for row in rows])
    stacked = pad_sequence(list(rows), batch_first=True)
    return stacked, torch.arange(stacked.shape[1]) < lengths[:, None]


def mark_sizes(batch: GroundingBatch) -> GroundingBatch:
    """Tell the compiler which sizes of a batch vary, so that no graph is made for each of them; returns the batch."""
    for field in fields(batch):
        for axis in VARYING.get(field.name, ()):
            if (value := getattr(batch, field.name)) is not None:
                torch._dynamo.maybe_mark_dynamic(value, axis)
        for axis in FEW_LENGTHS.get(field.name, ()):
            if (value := getattr(batch, field.name)) is not None:
                torch._dynamo.mark_static(value, axis)
    return batch
