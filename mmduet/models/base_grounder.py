"""The base of every student."""
from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmduet.structures import GroundingFeatures

Samples = list[DetDataSample]


class BaseGrounder(BaseModel, metaclass=ABCMeta):
    """Localise the object an expression refers to: pixels and words to features, features to boxes.

    Args:
        data_preprocessor: config of a ``GroundingDataPreprocessor``.

    Attributes:
        visual_reads_text: whether the words have a say in how the image is encoded. A student that declares False encodes an
            image alike for all its expressions, so that once is enough.
    """

    visual_reads_text: ClassVar[bool] = True

    def __init__(self, data_preprocessor: dict[str, Any]) -> None:
        super().__init__(data_preprocessor=data_preprocessor)

    @abstractmethod
    def extract(self, inputs: Tensor, samples: Samples) -> GroundingFeatures:
        """Run the network on (B, 3, S, S) normalised canvases; the only method that touches pixels."""

    @abstractmethod
    def loss(self, features: GroundingFeatures, samples: Samples) -> dict[str, Tensor]:
        """Compare ``features`` with the targets; keys start with ``loss_``, values are scalars."""

    def predict(self, features: GroundingFeatures, samples: Samples) -> Samples:
        """Write the last stage's box into each sample's ``pred_instances``.

        ``bboxes`` (1, 4) are xyxy in pixels of the original photo, clipped to it; ``canvas_boxes`` (1, 4) the cxcywh box in
        [0, 1] of the canvas it came from, unclipped; ``scores`` (1,) is 1, as a grounder gives exactly one answer.
        """
        boxes = features.boxes[-1].detach().float().cpu()
        for sample, box in zip(samples, boxes, strict=True):
            height, width = sample.ori_shape
            limit = box.new_tensor([width, height, width, height])
            pixel_box = torch.minimum(sample.canvas.to_photo(box[None]).clamp(min=0), limit)
            sample.pred_instances = InstanceData(bboxes=pixel_box, canvas_boxes=box[None], scores=torch.ones(1))
        return samples

    def forward(self, inputs: Tensor, data_samples: Samples, mode: str = 'tensor') -> Any:
        """Extract features and, by ``mode``, return them (``'tensor'``), their losses (``'loss'``) or answers (``'predict'``).

        Raises:
            ValueError: another mode.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        features = self.extract(inputs, data_samples)
        if mode == 'loss':
            return self.loss(features, data_samples)
        if mode == 'predict':
            return self.predict(features, data_samples)
        return features


def stack_targets(samples: Samples, device: torch.device | str) -> Tensor:
    """(B, 4) float32 target boxes, cxcywh in [0, 1] of the canvas, moved to ``device`` in one copy."""
    boxes = [sample.canvas.to_canvas(sample.gt_instances.bboxes.float().cpu()) for sample in samples]
    return torch.cat(boxes).to(device, non_blocking=True)
