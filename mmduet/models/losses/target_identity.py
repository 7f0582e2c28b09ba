"""Which expressions of a batch mean the same object."""
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmduet.models.losses.gathering import gather_rows
from mmduet.structures.boxes import iou_cxcywh, xyxy_to_cxcywh


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetIdentity:
    """The photo and the target of each of B expressions, comparable across views of a photo and across ranks.

    Attributes:
        image: (B,) int64 number of the photo, equal for equal photos.
        boxes: (B, 4) float32 target, cxcywh in [0, 1] of the whole photo, not mirrored.
        whole: (B,) bool, False where the view is a crop, so that ``boxes`` says nothing about the whole photo.
    """

    image: Tensor
    boxes: Tensor
    whole: Tensor

    def __post_init__(self) -> None:
        batch = self.image.shape[0]
        if tuple(self.boxes.shape) != (batch, 4) or tuple(self.whole.shape) != (batch, ):
            raise ValueError(f'TargetIdentity needs image (B,), boxes (B, 4) and whole (B,), got {tuple(self.image.shape)}, '
                             f'{tuple(self.boxes.shape)} and {tuple(self.whole.shape)}')

    def same(self, iou: float) -> Tensor:
        """(B, B) bool, True where two expressions may mean one object: one photo, targets that overlap by ``iou`` or more.

        A crop cannot be compared with another view, so it counts as the same: a lost negative costs less than a false one.
        """
        photo = self.image[:, None] == self.image
        overlap = iou_cxcywh(self.boxes[:, None], self.boxes) >= iou
        comparable = self.whole[:, None] & self.whole
        return photo & (overlap | ~comparable)

    def gather(self) -> 'TargetIdentity':
        """The expressions of all ranks, in rank order."""
        return TargetIdentity(image=gather_rows(self.image), boxes=gather_rows(self.boxes),
                              whole=gather_rows(self.whole.to(torch.uint8)).bool())


def identify_targets(samples: Sequence[Any], device: torch.device | str) -> TargetIdentity:
    """Read the identity of the targets of B data samples."""
    images, boxes, whole = [], [], []
    for sample in samples:
        name = f'{sample.get("dataset_name", "")}|{sample.img_id}'.encode()
        # Not hash(): Python salts it, so that ranks would disagree.
        images.append(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), 'big', signed=True))
        width, height = sample.canvas.width / sample.canvas.scale_x, sample.canvas.height / sample.canvas.scale_y
        box = xyxy_to_cxcywh(sample.gt_instances.bboxes[0].float().cpu() / torch.tensor([width, height] * 2))
        if sample.get('flip', False):
            box[0] = 1 - box[0]
        boxes.append(box)
        whole.append(abs(height - sample.ori_shape[0]) < 1 and abs(width - sample.ori_shape[1]) < 1)
    return TargetIdentity(image=torch.tensor(images).to(device), boxes=torch.stack(boxes).to(device),
                          whole=torch.tensor(whole).to(device))
