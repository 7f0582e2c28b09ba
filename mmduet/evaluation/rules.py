"""When a predicted box is a hit: the package's rule, and the two of the students' authors."""
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mmduet.registry import TASK_UTILS
from mmduet.structures import Canvas
from mmduet.structures.boxes import cxcywh_to_xyxy, iou_xyxy, xyxy_to_cxcywh


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a rule compares; corners are in pixels of the original image."""

    box: Tensor  # (4,) predicted corners
    target: Tensor  # (4,) official corners
    ori_shape: tuple[int, int]  # (h, w) of the original image
    canvas_box: Tensor | None = None  # (4,) predicted cxcywh in [0, 1] of the canvas; None where it was not kept
    canvas: Canvas | None = None  # where the image lies on its canvas; None likewise
    accepted: Tensor | None = None  # (n, 4) corners of boxes any of which is right; None where only the target is

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> 'Answer':
        """From a predicted sample in the dict form in which MMEngine's evaluator passes it."""
        predicted = sample['pred_instances']
        canvas_boxes, accepted = predicted.get('canvas_boxes'), sample.get('accepted_boxes')
        return cls(box=predicted['bboxes'][0].detach().cpu(), target=sample['gt_instances']['bboxes'][0].cpu(),
                   ori_shape=tuple(sample['ori_shape'][:2]), canvas=sample.get('canvas'),
                   canvas_box=None if canvas_boxes is None else canvas_boxes[0].detach().cpu(),
                   accepted=None if accepted is None else torch.as_tensor(accepted))


class EvaluationRule(metaclass=ABCMeta):
    """Two comparable boxes from an answer, and when their overlap is a hit."""

    @abstractmethod
    def corners(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """(4,) corners of prediction and target, in the frame and precision of the rule."""

    def overlap(self, answer: Answer) -> Tensor:
        """Scalar IoU in [0, 1] with the best of the right boxes; 0 for boxes without area and for a prediction not finite."""
        given = [box for box in (answer.box, answer.canvas_box) if box is not None]
        if not torch.cat(given).isfinite().all():  # infinite corners, clipped, would be those of the whole image
            return answer.box.new_zeros(())
        if answer.accepted is not None:
            return torch.stack([self.overlap(replace(answer, target=box, accepted=None)) for box in answer.accepted]).max()
        return iou_xyxy(*self.corners(answer)).nan_to_num(0.0)

    def is_hit(self, overlap: Tensor, threshold: float) -> bool:
        """Whether an IoU reaches the threshold; both are compared in the precision of ``overlap``."""
        return bool(overlap >= torch.tensor(threshold, dtype=overlap.dtype))


def clip_corners(corners: Tensor, ori_shape: tuple[int, int]) -> Tensor:
    """(4,) xyxy corners clipped to an image of (h, w) pixels."""
    height, width = ori_shape
    return torch.minimum(corners.clamp(min=0), corners.new_tensor([width, height, width, height]))


@TASK_UTILS.register_module()
class OriginalPixelsRule(EvaluationRule):
    """The default: official float target, original pixels, prediction clipped to the image, hit at IoU >= threshold."""

    def corners(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """Corners in pixels of the original image, float64."""
        return clip_corners(answer.box.double(), answer.ori_shape), answer.target.double()


@TASK_UTILS.register_module()
class VLTVGRule(EvaluationRule):
    """VLTVG's: as the default, but in float32, and an IoU equal to the threshold is a miss."""

    def corners(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """Corners in pixels of the original image, float32."""
        return clip_corners(answer.box.float(), answer.ori_shape), answer.target.float()

    def is_hit(self, overlap: Tensor, threshold: float) -> bool:
        """Whether an IoU exceeds the threshold."""
        return bool(overlap > torch.tensor(threshold, dtype=overlap.dtype))


@TASK_UTILS.register_module()
class TransVGRule(EvaluationRule):
    """TransVG's, QRNet's and CLIP-VG's: target cut to whole pixels, both boxes on the canvas, prediction clipped to it.

    The padding belongs to the canvas, so a box that reaches into it keeps that part. Float32, hit at IoU >= threshold.
    """

    def corners(self, answer: Answer) -> tuple[Tensor, Tensor]:
        """Corners in [0, 1] of the canvas, float32; the answer must say where the image lies on it."""
        if answer.canvas_box is None or answer.canvas is None:
            raise ValueError('TransVGRule compares boxes on the canvas: samples need canvas and pred_instances.canvas_boxes')
        target = transvg_target(answer.target, answer.ori_shape, answer.canvas)
        return cxcywh_to_xyxy(answer.canvas_box.float()).clamp(0, 1), cxcywh_to_xyxy(target)


def transvg_target(target: Tensor, ori_shape: tuple[int, int], canvas: Canvas) -> Tensor:
    """(4,) cxcywh target in [0, 1] of the canvas, float32, as TransVG's authors train and score it.

    They cut x, y, width and height of the annotation, which has two decimals, to whole pixels, and scale both axes by one
    ratio; rounding to three decimals first undoes what float32 corners did to a whole number.
    """
    x1, y1, x2, y2 = target.double().tolist()
    x, y, width, height = (int(round(value, 3)) for value in (x1, y1, x2 - x1, y2 - y1))
    ratio = max(canvas.width, canvas.height) / max(ori_shape)
    corners = torch.tensor([x, y, x + width, y + height], dtype=torch.float32) * ratio
    corners += torch.tensor([canvas.left, canvas.top] * 2, dtype=torch.float32)
    return xyxy_to_cxcywh(corners) / canvas.size
