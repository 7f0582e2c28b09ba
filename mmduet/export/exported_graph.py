"""What an exported graph computes: from bytes and ids to boxes of the image, normalisation and padding included."""
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from mmduet.engine.config_tools import ConfigError
from mmduet.export.rewrites import make_exportable
from mmduet.models.base_grounder import BaseGrounder
from mmduet.structures import GroundingBatch, TargetIdentity
from mmduet.structures.boxes import cxcywh_to_xyxy


class ExportError(ConfigError):
    """A model that cannot be exported; says why."""


class _HostData(tuple[Any, ...]):
    """Stands for what a batch holds on the host, which no graph can read."""

    def _refuse(self, *_: Any) -> NoReturn:
        raise ExportError('the student reads texts, views or samples of its batch, which are no tensors: a graph takes images '
                          'and token ids alone')

    __iter__ = __getitem__ = __len__ = __contains__ = _refuse


class TracedBatch(GroundingBatch):
    """A batch to predict from whose numbers of images and expressions are symbols, while a student is traced."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Check nothing: lengths would be compared with those of this one batch."""

    def __len__(self) -> int:
        """Refuse to be counted: a number of Python is one of this batch alone.

        Raises:
            ExportError: says what to write in its place.
        """
        raise ExportError('the student asks for len(batch), a number that a graph would keep from this batch: take the length '
                          'of a tensor, as text.shape[0] or batch.image_index.shape[0]')

    @property
    def shared_index(self) -> Tensor:
        """See ``GroundingBatch.shared_index``; whether every image has one expression is not known."""
        return self.image_index


class ExportedGrounder(nn.Module):
    """A copy of a student on the CPU, from the inputs of ``mmduet.export.description`` to its outputs.

    Args:
        student: any ``BaseGrounder`` that takes token ids.
    """

    def __init__(self, student: BaseGrounder) -> None:
        super().__init__()
        self.student = make_exportable(student)

    def forward(self, image: Tensor, content: Tensor, image_index: Tensor, token_ids: Tensor,
                attention_mask: Tensor) -> tuple[Tensor, ...]:
        """(B, 4) xyxy boxes in [0, 1] of the image, clipped to it, and, of a student with a score head, (B,) scores.

        Args:
            image: (U, S, S, 3) uint8 RGB canvases.
            content: (U, 4) int64 xyxy pixels of the image on its canvas.
            image_index: (B,) int64.
            token_ids: (B, T) int64.
            attention_mask: (B, T) int64, 1 at a token.
        """
        features = self.student.extract(self._batch(image, content, image_index, token_ids, attention_mask == 0))
        place = content[image_index].to(torch.float32)
        low, high = place[:, :2].repeat(1, 2), place[:, 2:].repeat(1, 2)
        boxes = cxcywh_to_xyxy(features.boxes[-1].float()) * image.shape[1]
        answer = ((boxes - low) / (high - low)).clamp(0, 1)
        return (answer, ) if self.student.score_head is None else (answer, self.student.confidence(features))

    def _batch(self, image: Tensor, content: Tensor, image_index: Tensor, token_ids: Tensor, padding: Tensor) -> TracedBatch:
        preprocessor, host = self.student.data_preprocessor, _HostData()
        count, none = image_index.shape[0], content.new_zeros(image_index.shape[0], 0)
        no_boxes = none[:, :, None].expand(-1, -1, 4).to(torch.float32)
        return TracedBatch(
            pixels=preprocessor.normalise(image.permute(0, 3, 1, 2), content), image_index=image_index, content=content,
            texts=host, owner=host, token_ids=token_ids, text_padding=padding, boxes=no_boxes, has_box=none.bool(),
            other_boxes=no_boxes, has_other=none.bool(), views=host, sources=host, samples=host, mean=preprocessor.mean,
            std=preprocessor.std, has_padding=True,
            identity=TargetIdentity(image=image_index, boxes=content.new_zeros(count, 4).to(torch.float32),
                                    whole=torch.zeros_like(image_index, dtype=torch.bool), view=torch.zeros_like(image_index)))
