"""Dense detection, to start a small student's visual encoder as DETR starts TransVG's."""
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor, nn

from mmduet.refshapes.scene import COLOURS, SHAPES
from mmduet.registry import MODELS
from mmduet.structures.boxes import iou_cxcywh

# A category is a shape; the label of an object is its shape's number times that of colours, plus its colour's.
CATEGORIES, LABELS_PER_CATEGORY = len(SHAPES), len(COLOURS)
# Of the pixels, as in the student's ``GroundingDataPreprocessor``.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@MODELS.register_module()
class VisualPretrainer(BaseModel):
    """Predict for every visual token whether it lies on an object, of which category and in which box.

    Only categories, no colours and no words: what a detector knows. The checkpoint's ``visual_encoder.*`` initialises
    a student; the head is thrown away. Our choice, for RefShapes.

    Args:
        visual_encoder: config of the student's ``VisualEncoder``.
        feature_size: side of its map, visual tokens.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, visual_encoder: dict[str, Any], feature_size: int = 8) -> None:
        super().__init__(data_preprocessor={'type': BaseDataPreprocessor})
        self.register_buffer('mean', torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(STD).view(3, 1, 1), persistent=False)
        self.visual_encoder = MODELS.build(visual_encoder)
        self.head = nn.Conv2d(self.visual_encoder.channels, 1 + CATEGORIES + 4, kernel_size=1)
        self.feature_size = feature_size

    def forward(self, inputs: list[Tensor], data_samples: list[Any], mode: str = 'tensor') -> Any:
        """Losses of (3, S, S) uint8 images in ``'loss'`` mode, (B, N visual tokens, 1 + categories + 4) otherwise."""
        images = torch.stack([image.to(self.mean.device) for image in inputs]).float().div_(255)
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        padding = torch.zeros(len(images), self.feature_size, self.feature_size, dtype=torch.bool, device=images.device)
        predictions = self.head(self.visual_encoder(images, padding, has_padding=False)).flatten(2).transpose(1, 2)
        return self._loss(predictions, data_samples) if mode == 'loss' else predictions

    def _loss(self, predictions: Tensor, samples: list[Any]) -> dict[str, Tensor]:
        steps = (torch.arange(self.feature_size, device=predictions.device) + 0.5) / self.feature_size
        centres = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).reshape(-1, 2)
        found = [self._assign(centres, sample.boxes.to(centres), sample.labels.to(centres.device)) for sample in samples]
        covered, category, box = (torch.stack(parts) for parts in zip(*found, strict=True))
        objectness, scores, numbers = predictions.split([1, CATEGORIES, 4], dim=-1)
        boxes = torch.cat([centres + 0.1 * numbers[..., :2], numbers[..., 2:].sigmoid()], dim=-1)
        return {
            'loss_objectness': F.binary_cross_entropy_with_logits(objectness[..., 0], covered.float()),
            'loss_category': 0.5 * F.cross_entropy(scores[covered], category[covered]),
            'loss_bbox': 5 * (boxes[covered] - box[covered]).abs().sum(dim=-1).mean(),
            'category_accuracy': (scores[covered].argmax(dim=-1) == category[covered]).float().mean(),
            'mean_iou': iou_cxcywh(boxes[covered], box[covered]).mean(),
        }

    def _assign(self, centres: Tensor, boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By visual token: whether it lies on an object, and category and box of the object nearest by its own size."""
        distance = ((centres[:, None] - boxes[:, :2]).abs() / (boxes[:, 2:] / 2)).amax(dim=-1)
        nearest, index = distance.min(dim=1)
        # A little beyond the box, so that an object between two tokens has one too.
        return nearest < 1.15, labels[index] // LABELS_PER_CATEGORY, boxes[index]
