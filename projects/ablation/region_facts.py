"""Statistics of the regions that a sampler draws: the quality of positives and the hardness of negatives."""
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mmduet.structures import Regions
from mmduet.structures.boxes import iou_cxcywh

# A region stands for an annotated object where they overlap by this much.
SAME_OBJECT_IOU = 0.5


@dataclass(slots=True)
class RegionFacts:
    """Sums over what was drawn; ``means`` divides them.

    Attributes:
        images, positives, negatives: how many there were.
        positive_iou, negative_iou: IoU with the target.
        on_objects: negatives that lie on another annotated object.
        positive_similarity, negative_similarity: similarity of regions and expression, in [0, 1].
        above_target: negatives that are more similar to the expression than the target is.
        objects, objects_drawn: other annotated objects, and those of them that a negative lies on.
    """

    images: float = 0
    positives: float = 0
    negatives: float = 0
    positive_iou: float = 0
    negative_iou: float = 0
    on_objects: float = 0
    positive_similarity: float = 0
    negative_similarity: float = 0
    above_target: float = 0
    objects: float = 0
    objects_drawn: float = 0

    def add(self, regions: Regions, targets: Tensor, objects: Tensor, similarity: Callable[[Tensor], Tensor]) -> None:
        """Count a batch.

        Args:
            regions: what was drawn.
            targets: (B, 4) cxcywh in [0, 1] of the canvas.
            objects: (B, n, 4) the other annotated boxes; one without area is none.
            similarity: maps (B, K, 4) boxes to (B, K) in [0, 1].
        """
        drawn, valid = regions.positive_weight > 0, regions.negative_valid
        exists = (objects[..., 2:] > 0).all(dim=-1)
        pairs = iou_cxcywh(regions.negatives[:, :, None], objects[:, None]) >= SAME_OBJECT_IOU
        pairs = pairs & valid[:, :, None] & exists[:, None]
        similarities = similarity(regions.negatives)
        counted = {
            'images': torch.ones(len(targets)), 'positives': drawn, 'negatives': valid, 'objects': exists,
            'positive_iou': iou_cxcywh(regions.positives, targets[:, None]) * drawn,
            'negative_iou': iou_cxcywh(regions.negatives, targets[:, None]) * valid,
            'on_objects': pairs.any(dim=2), 'objects_drawn': pairs.any(dim=1),
            'positive_similarity': similarity(regions.positives) * drawn, 'negative_similarity': similarities * valid,
            'above_target': (similarities > similarity(targets[:, None])) & valid,
        }
        for name, values in counted.items():
            setattr(self, name, getattr(self, name) + float(values.sum()))

    def means(self) -> dict[str, float]:
        """For each positive, negative or other object: the mean of what was summed; for each image, how many there were."""
        over = {'positives': self.images, 'negatives': self.images, 'objects': self.images, 'objects_drawn': self.objects,
                'positive_iou': self.positives, 'positive_similarity': self.positives}
        return {field.name: getattr(self, field.name) / max(over.get(field.name, self.negatives), 1)
                for field in fields(self) if field.name != 'images'}
