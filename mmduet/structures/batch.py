"""A batch as a model takes it: images once, expressions that point to them, targets, all on one device."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmduet.structures.axes import check_axes
from mmduet.structures.canvas import Canvas, padding_mask
from mmduet.structures.target_identity import TargetIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which part of an image its canvas shows, and where."""

    canvas: Canvas
    flip: bool
    window: tuple[float, float, float, float]  # xyxy in [0, 1] of the image, mirrored if the view is; (0, 0, 1, 1) for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an expression comes from, by which a cache finds its rows; None where the pipeline does not say."""

    dataset: str | None
    split: str | None
    expression_id: str | None
    data_hash: str | None  # SHA-256 of the annotation files of the split
    objects_hash: str | None  # and of those of all objects
    others: tuple[tuple[int, int], ...]  # of each other box: its column in ``other_boxes``, its number in the data set's list


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingBatch:
    """B expressions about U images, on the model's device; made once a step by ``GroundingDataPreprocessor``.

    A *canvas* is a square of S x S pixels; the image, resized, is the ``content`` that lies somewhere on it, the rest is
    padding. Boxes are cxcywh in [0, 1] of the canvas.

    Raises:
        ValueError: a tensor has other axes; names field and axis. Or images are not numbered as expressions first name them.
    """

    # (U, 3, S, S) canvases, normalised by ``mean`` and ``std``, 0 at padding; an image is there once, however many expressions
    # are about it. float32, or the type of autocast where the student's first layer would cast them to it.
    pixels: Tensor
    canvases: Tensor | None = None  # (U, 3, S, S) uint8, what the pixels were made of; there where they are not float32
    image_index: Tensor  # (B,) int64, the image of each expression, numbered as they come; 0 ... B - 1 where U = B
    owner: Sequence[int]  # the same on the host, where nothing waits for the device to read it
    content: Tensor  # (U, 4) int64 xyxy pixels of the image on its canvas
    texts: tuple[str, ...]  # B expressions, after augmentation
    token_ids: Tensor | None  # (B, L) int64 of the student's tokenizer; None for a student without one
    text_padding: Tensor | None  # (B, L) bool, True where there is no token; None likewise
    boxes: Tensor  # (B, n, 4) targets; n = 1 in referring expressions, 0 where nothing is annotated
    has_box: Tensor  # (B, n) bool, True where there is such a target
    # Of T targets that differ, by box or by image: (T,) int64 the first expression of each, and (B,) int64 the target of each
    # expression, so that what is made of a target is made once; None where all differ.
    first_of_target: Tensor | None = None
    target_index: Tensor | None = None
    other_boxes: Tensor  # (U, m, 4) other annotated objects of each image, parts outside the canvas included
    has_other: Tensor  # (B, m) bool, True where the column of the expression's image is an object other than its target
    # (B, m) int64, which of the expression's own other objects a column is, from 0, whatever else the batch asks about its
    # image; 0 where ``has_other`` is False. None for the order of the columns.
    other_number: Tensor | None = None
    identity: TargetIdentity  # which expressions mean the same object of the same image
    views: tuple[View, ...]  # of the U images
    sources: tuple[Source, ...]  # of the B expressions
    samples: Sequence[Any]  # the B data samples of MMDetection, for ``predict`` alone
    mean: Tensor  # (3, 1, 1) of the normalisation, RGB in [0, 1]
    std: Tensor
    has_padding: bool  # whether any canvas has padding, known on the host
    # How many visual tokens the student encodes of each part of the images, and of each part of those of the expressions, known
    # on the host too; None for all. See ``KeptTokens``.
    kept_of_images: tuple[int, ...] | None = None
    kept_of_expressions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_axes(self, {
            'pixels': ('U', 3, 'S', 'S'), 'canvases': ('U', 3, 'S', 'S'),
            'content': ('U', 4), 'image_index': ('B', ), 'token_ids': ('B', 'L'),
            'text_padding': ('B', 'L'), 'boxes': ('B', 'n', 4), 'has_box': ('B', 'n'),
            'first_of_target': ('T', ), 'target_index': ('B', ), 'other_boxes': ('U', 'm', 4),
            'has_other': ('B', 'm'), 'other_number': ('B', 'm'), 'mean': (3, 1, 1), 'std': (3, 1, 1)},
            booleans=('text_padding', 'has_box', 'has_other'))
        images, expressions = self.pixels.shape[0], self.image_index.shape[0]
        for name, count in (('views', images), ('texts', expressions), ('owner', expressions), ('sources', expressions),
                            ('samples', expressions)):
            if len(getattr(self, name)) != count:
                raise ValueError(f'GroundingBatch.{name} must have {count} entries, got {len(getattr(self, name))}')
        if images > expressions:
            raise ValueError(f'GroundingBatch has {images} images for {expressions} expressions: one has none')
        if list(dict.fromkeys(self.owner)) != list(range(images)):
            raise ValueError(f'GroundingBatch.owner must name {images} images in the order 0, 1, ..., got {tuple(self.owner)}')

    def __len__(self) -> int:
        """B."""
        return len(self.texts)

    @property
    def size(self) -> int:
        """S, the side of the canvas in pixels."""
        return self.pixels.shape[-1]

    @property
    def target_boxes(self) -> Tensor:
        """(B, 4) the one target of each expression; ValueError if there is none, or several."""
        if self.boxes.shape[1] != 1:
            raise ValueError(f'one target box for each expression is needed, the batch has up to {self.boxes.shape[1]}')
        return self.boxes[:, 0]

    @property
    def tokens(self) -> tuple[Tensor, Tensor]:
        """``token_ids`` and ``text_padding``; ValueError if there are none, as the student has not named its tokenizer."""
        if self.token_ids is None or self.text_padding is None:
            raise ValueError('the batch has no token ids: call self.use_tokenizer(...) when the student is built')
        return self.token_ids, self.text_padding

    @property
    def keys(self) -> list[str]:
        """Names of the B expressions, by which what is drawn for one does not depend on its rank or row."""
        return [f'{source.dataset}/{source.split}/{source.expression_id}' if source.expression_id else text
                for source, text in zip(self.sources, self.texts, strict=True)]

    @property
    def shared_index(self) -> Tensor | None:
        """``image_index``, or None where every image has one expression and no row needs to be looked up."""
        return None if self.pixels.shape[0] == len(self.texts) else self.image_index

    def expand(self, per_image: Tensor) -> Tensor:
        """(B, ...) rows of the expressions' images out of (U, ...); the tensor itself where every image has one expression."""
        return expand_images(per_image, self.shared_index)

    def of_targets(self, per_expression: Tensor) -> Tensor:
        """(T, ...) rows of the targets that differ out of (B, ...); the tensor itself where all differ."""
        return per_expression if self.first_of_target is None else per_expression[self.first_of_target]

    def expand_targets(self, per_target: Tensor) -> Tensor:
        """(B, ...) rows of the expressions out of (T, ...); the tensor itself where all targets differ."""
        return expand_images(per_target, self.target_index)

    def padding(self, feature_size: int) -> Tensor:
        """(U, h, h) bool, True where a visual token of an h x h map lies on padding; see ``padding_mask``."""
        return padding_mask(self.content, self.size, feature_size)

    def images(self) -> Tensor:
        """(U, 3, S, S) float32 RGB in [0, 1], 0 at padding: the pixels before normalisation, as a teacher takes them."""
        padding = padding_mask(self.content, self.size)[:, None]
        if self.canvases is not None:
            return (self.canvases / 255).masked_fill(padding, 0)
        return (self.pixels.float() * self.std + self.mean).clamp(0, 1).masked_fill(padding, 0)


def expand_images(per_image: Tensor, index: Tensor | None) -> Tensor:
    """(B, ...) rows by a (B,) index out of (U, ...); the tensor itself without one."""
    return per_image if index is None else per_image[index]
