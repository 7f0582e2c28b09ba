"""The base of every student."""
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from logging import WARNING
from typing import Any, ClassVar

import torch
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmduet.io.text import counted
from mmduet.models.data_preprocessor import GroundingDataPreprocessor
from mmduet.models.layers.tokenizers import Tokenizer
from mmduet.models.losses.loss_checks import check_losses
from mmduet.models.score_heads.base_score_head import ScoreHead
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, GroundingFeatures

# A side or centre of a box in [0, 1] of the canvas that is larger is one in another unit.
FAR_OUTSIDE = 2.0


class BaseGrounder(BaseModel, metaclass=ABCMeta):
    """Localise the object an expression refers to: a batch to features, features to boxes.

    A student implements ``extract``; its ``__init__`` sets ``channels`` and, if it takes token ids, calls ``use_tokenizer``.

    Args:
        data_preprocessor: config of a ``GroundingDataPreprocessor``.
        box_loss: config of a ``BoxLoss`` or ``StagedBoxLoss``; None for a student with a ``loss`` of its own.
        score_head: config of a ``ScoreHead``, which says how sure an answer is; None for scores of 1.

    Attributes:
        channels: C of the features.
        visual_reads_text: whether the encoding of the image depends on the text. Where it does not, an image is encoded once
            for all its expressions.
        convolves_pixels: whether the first that happens to ``batch.pixels`` is a convolution, but for padding with zeros or
            taking rows. Under autocast they then come in its type, to which the convolution would cast them.
    """

    visual_reads_text: ClassVar[bool] = True
    convolves_pixels: ClassVar[bool] = False
    channels: int
    data_preprocessor: GroundingDataPreprocessor
    box_loss: nn.Module
    score_head: ScoreHead | None

    def __init__(self, data_preprocessor: dict[str, Any], box_loss: dict[str, Any] | None = None,
                 score_head: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self._warned_of_units = False
        self.data_preprocessor.casts_pixels = self.convolves_pixels
        with torch.random.fork_rng(devices=[]):  # so that the other weights start as they do without it
            self.score_head = None if score_head is None else MODELS.build(score_head)
        if box_loss is not None:
            self.box_loss = MODELS.build(box_loss)

    def use_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Let batches carry token ids of this tokenizer.

        Raises:
            ValueError: the base's ``__init__`` comes later.
        """
        if getattr(self, 'data_preprocessor', None) is None:
            raise ValueError(f'{type(self).__name__}.__init__ must call super().__init__(data_preprocessor, ...) before '
                             'use_tokenizer')
        self.data_preprocessor.tokenizer = tokenizer

    def leave_out_padding(self, visual_padding: Callable[[Tensor, int], Tensor]) -> None:
        """Declare that no token reads a visual token that is padding, so that batches say how many must be encoded.

        ``visual_padding`` makes the (U, H, W) padding of the student's map from (U, 4) ``content`` and the size of the canvas.
        ``extract`` then leaves out tokens by ``keep_of(batch, padding)``.
        """
        self.data_preprocessor.visual_padding = visual_padding

    @abstractmethod
    def extract(self, batch: GroundingBatch) -> GroundingFeatures:
        """Run the network; the only method that touches pixels."""

    def extract_with_attention(self, batch: GroundingBatch) -> GroundingFeatures:
        """The features of ``extract`` and, as ``attention``, where the student looked. A student need not have it.

        Raises:
            NotImplementedError: the student does not say where it looks.
        """
        raise NotImplementedError(f'{type(self).__name__} does not say where it looks: implement extract_with_attention')

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """Scalars of ``box_loss``, 0 where the boxes are the targets, and of ``score_head`` by ``loss_<name>``."""
        if getattr(self, 'box_loss', None) is None:
            raise ValueError(f'{type(self).__name__} has no box_loss: give one to super().__init__, or write a loss(features, '
                             'batch) of its own')
        losses: dict[str, Tensor] = self.box_loss(features.boxes, batch.target_boxes)
        if self.score_head is not None:
            with torch.autocast(features.query.device.type, enabled=False):
                losses.update(self.score_head.loss(features.float(), batch))
        return losses

    def confidence(self, features: GroundingFeatures) -> Tensor:
        """(B,) probability in [0, 1] that the last box is right, its IoU at least 0.5; 1 without a score head."""
        if self.score_head is None:
            return torch.ones(features.boxes.shape[1])
        with torch.autocast(features.query.device.type, enabled=False):
            scores: Tensor = self.score_head(features.float()).sigmoid()
        return scores

    def predict(self, features: GroundingFeatures, batch: GroundingBatch) -> Sequence[DetDataSample]:
        """Write the last stage's box into each sample's ``pred_instances``; return the samples.

        ``bboxes`` (1, 4) are xyxy in pixels of the original image, clipped to it; ``canvas_boxes`` (1, 4) the same box as
        cxcywh in [0, 1] of the canvas, unclipped; ``scores`` (1,) are those of ``confidence``.
        """
        boxes, scores = features.boxes[-1].detach().float().cpu(), self.confidence(features).detach().cpu()
        self._warn_of_units(boxes)
        for sample, box, score in zip(batch.samples, boxes, scores, strict=True):
            height, width = sample.ori_shape
            limit = box.new_tensor([width, height, width, height])
            pixel_box = torch.minimum(sample.canvas.to_image(box[None]).clamp(min=0), limit)
            sample.pred_instances = InstanceData(bboxes=pixel_box, canvas_boxes=box[None], scores=score[None])
        return batch.samples

    def _warn_of_units(self, boxes: Tensor) -> None:
        """Say once that boxes are none of [0, 1]; in training nobody looks, as that would wait for the device."""
        most = boxes.abs().max().item() if boxes.numel() else 0
        if not self._warned_of_units and most > FAR_OUTSIDE:
            self._warned_of_units = True
            print_log(f'{type(self).__name__}.extract returned boxes of up to {most:.4g}: they must be cxcywh in [0, 1] of the '
                      'canvas; divide pixels of the canvas by batch.size', logger='current', level=WARNING)

    def forward(self, batch: GroundingBatch, mode: str = 'tensor') -> Any:
        """Features by mode ``'tensor'``, losses by ``'loss'``, data samples with boxes by ``'predict'``.

        Raises:
            TypeError, ValueError: another mode; features or losses that are not what they must be.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        features = self.extract(batch)
        self._check_features(features, batch)
        if mode == 'loss':
            losses = self.loss(features, batch)
            check_losses(losses, f'{type(self).__name__}.loss')
            return losses
        if mode == 'predict':
            return self._answer(features, batch)
        return features

    def _check_features(self, features: object, batch: GroundingBatch) -> None:
        """Refuse features that are none, or of another batch: a loss may broadcast one row against many and say nothing."""
        name = type(self).__name__
        if not isinstance(features, GroundingFeatures):
            raise TypeError(f'{name}.extract must return GroundingFeatures, or a dataclass that extends them, got '
                            f'{type(features).__name__}')
        if features.query.shape[0] != batch.image_index.shape[0]:
            raise ValueError(f'{name}.extract returned features of {counted(features.query.shape[0], "expression")} for a '
                             f'batch of {batch.image_index.shape[0]}: batch.expand(...) makes '
                             'rows of expressions of rows of images')
        channels = getattr(self, 'channels', None)
        if channels is not None and features.query.shape[1] != channels:
            raise ValueError(f'{name}.extract returned features of {features.query.shape[1]} channels, and {name}.channels is '
                             f'{channels}: set it to what extract gives')

    # Data samples are others in every batch: a graph that held them would be compiled anew each time.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _answer(self, features: GroundingFeatures, batch: GroundingBatch) -> Sequence[DetDataSample]:
        return self.predict(features, batch)
