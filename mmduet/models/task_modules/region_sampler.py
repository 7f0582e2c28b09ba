"""Drawing positive and negative regions for the region-contrastive loss."""
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmduet.models.moving import move
from mmduet.models.task_modules.candidate_boxes import CandidateBoxes
from mmduet.structures import Regions, from_content, to_content
from mmduet.structures.boxes import iou_cxcywh

# A positive never has weight 0, or an image whose drawn positives all score 0 would silently drop out.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Boxes of each image of a batch, the target first, and what is known of them."""

    boxes: Tensor  # (B, K, 4) cxcywh in [0, 1] of the image
    exists: Tensor  # (B, K) bool, False where there is no such box
    location: Tensor  # (B, K) IoU with the target
    negative: Tensor  # (B, K) bool, True where a box exists and is none of the target
    semantics: Tensor | None  # (B, K) in [0, 1], how well it fits the expression, min-max normalised over those of the image
    annotated: Tensor  # (K,) bool, True where it is the annotated box of another object


@dataclass(kw_only=True)
class RegionSampler(ABC):
    """Make candidate boxes, class them by overlap with the target, and draw some of each class by a score.

    Candidates with IoU >= ``positive_iou`` are positives. Negatives have less than ``negative_iou``, lie at most by half in the
    target and hold at most half of it, and their centre is outside: a part of the target, or what surrounds it, is no negative.
    Within a class, regions are drawn without replacement with probability ~ softmax(score / temperature) (Gumbel top-k).

    Semantics are min-max normalised over the candidates of an image, as teachers differ in how far their similarities spread.
    A draw depends on (``seed``, step, expression) alone, not on its rank or row: a resumed run draws what an unbroken one does.
    """

    candidates: CandidateBoxes | dict[str, Any] | None = None  # or its fields
    positives: int = 4  # how many are drawn
    negatives: int = 8
    positive_iou: float = 0.6
    negative_iou: float = 0.4
    temperature: float = 0.1  # of the draw; a high one draws uniformly
    seed: int = 0
    reads_semantics: ClassVar[bool]

    def __post_init__(self) -> None:
        if not isinstance(self.candidates, CandidateBoxes):
            self.candidates = CandidateBoxes(**(self.candidates or {}))
        self._boxes = self.candidates
        if self.positives < 1 or self.negatives < 1:
            raise ValueError(f'at least one positive and one negative must be drawn, got {self.positives} and {self.negatives}')
        if not 0 < self.negative_iou <= self.positive_iou <= 1 or self.temperature <= 0 or self.seed < 0:
            raise ValueError(f'0 < negative_iou <= positive_iou <= 1, temperature > 0 and seed >= 0 must hold, got {self}')

    @abstractmethod
    def scores(self, location: Tensor, semantics: Tensor | None, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K) scores of candidates as positives and as negatives; the first is also the weight of a drawn positive.

        Args:
            location: (B, K) IoU with the target, which comes first.
            semantics: (B, K) in [0, 1], how well the region fits the expression; None unless ``reads_semantics``.
            annotated: (K,) bool, True where the candidate is the annotated box of another object of the image.
        """

    def sample(self, boxes: Tensor, content: Tensor, size: int, step: int, keys: Sequence[str],
               semantics: Callable[[Tensor], Tensor] | None = None, others: Tensor | None = None,
               predicted: Tensor | None = None, other_number: Tensor | None = None) -> Regions:
        """Draw the regions of a batch.

        Args:
            boxes: (B, 4) targets, cxcywh in [0, 1] of the canvas.
            content: (B, 4) int xyxy pixels of the images on their canvases.
            size: side of the canvas, pixels.
            step: number of the draw.
            keys: names of the B expressions.
            semantics: maps (B, K, 4) candidates, cxcywh in [0, 1] of the **image**, to (B, K) scores in [0, 1].
            others: (B, m, 4) further candidates, annotated objects, cxcywh in [0, 1] of the canvas; one without area is none.
            predicted: (B, 4) boxes of the student, likewise; jitters of them are candidates.
            other_number: (B, m) int64, which of the expression's own annotated objects each of ``others`` is, so that what is
                drawn for it does not depend on those of other expressions; None for the order in which they come.

        Raises:
            ValueError: the sampler draws by semantics and was given none, or its scores have another shape.
        """
        found, gumbel = self.propose(boxes, content, size, step, keys, semantics, others, predicted, other_number)
        as_positive, as_negative = self._checked_scores(found)
        positive = found.exists & (found.location >= self.positive_iou)
        chosen, drawn = self._draw(as_positive, positive, gumbel[0], self.positives)
        weight = as_positive.gather(1, chosen).clamp(min=LEAST_WEIGHT) * drawn
        weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)
        avoided, valid = self._draw(as_negative, found.negative, gumbel[1], self.negatives)
        # Sorting takes NaN for the largest number: such a score would decide what is drawn, and nobody would see it.
        spoilt = as_negative.masked_fill(~found.negative, 0).isnan() | as_positive.masked_fill(~positive, 0).isnan()
        weight = weight.masked_fill(spoilt.any(dim=1, keepdim=True), torch.nan)
        on_canvas = from_content(found.boxes, content, size)
        return Regions(positives=_take(on_canvas, chosen), positive_weight=weight, negatives=_take(on_canvas, avoided),
                       negative_valid=valid)

    def _checked_scores(self, found: Candidates) -> tuple[Tensor, Tensor]:
        given: Any = self.scores(found.location, found.semantics, found.annotated)
        shape = tuple(found.location.shape)
        got = [tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__ for each in given] if isinstance(
            given, tuple | list) else type(given).__name__
        if got != [shape, shape]:
            raise ValueError(f'{type(self).__name__}.scores must return two tensors (B, K) = {shape}, as positives and as '
                             f'negatives, got {got}')
        return given[0], given[1]

    def propose(self, boxes: Tensor, content: Tensor, size: int, step: int, keys: Sequence[str],
                semantics: Callable[[Tensor], Tensor] | None = None, others: Tensor | None = None,
                predicted: Tensor | None = None, other_number: Tensor | None = None) -> tuple[Candidates, Tensor]:
        """All candidates, and (2, B, K) Gumbel noise to draw by; arguments as in ``sample``."""
        if self.reads_semantics and semantics is None:
            raise ValueError(f'{type(self).__name__} draws by semantics and was given none')
        targets = to_content(boxes[:, None], content, size)
        objects = targets[:, :0] if others is None else to_content(others, content, size)
        own = None if predicted is None else _cut(to_content(predicted[:, None], content, size))
        count = self._boxes.count(own is not None)
        noise, gumbel = self._noise(keys, count, objects.shape[1], step, boxes.device, None if others is None else other_number)
        candidates = torch.cat([targets, self._boxes.draw(targets, noise, own), _cut(objects)], dim=1)
        exists = (candidates[..., 2:] > 0).all(dim=-1)
        location = iou_cxcywh(candidates, targets)
        scores = min_max_normalise(semantics(candidates), exists) if self.reads_semantics and semantics is not None else None
        annotated = torch.arange(candidates.shape[1], device=boxes.device) > count
        negative = exists & (location < self.negative_iou) & lies_beside(candidates, targets)
        return Candidates(boxes=candidates, exists=exists, location=location, negative=negative, semantics=scores,
                          annotated=annotated), gumbel

    # Generators of their own are none that a graph could hold.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _noise(self, keys: Sequence[str], count: int, others: int, step: int, device: torch.device,
               other_number: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, count, 4) uniform noise and (2, B, K) Gumbel noise, drawn on the CPU and copied once."""
        # What belongs to other objects comes last: how many a row has, or is filled up to, changes no other draw.
        rows = [np.random.Generator(np.random.Philox(key=_number(f'{self.seed}/{step}/{key}'))).random(
            4 * count + 2 * (1 + count + others), np.float32) for key in keys]
        uniform = move(torch.from_numpy(np.stack(rows)), device)
        boxes, own, rest = uniform.split([4 * count, 2 * (1 + count), 2 * others], dim=1)
        of_others = rest.unflatten(1, (others, 2))
        if other_number is not None:
            of_others = of_others.gather(1, other_number[..., None].expand(-1, -1, 2))
        drawn = torch.cat([own.unflatten(1, (-1, 2)), of_others], dim=1).permute(2, 0, 1)
        return boxes.unflatten(1, (count, 4)), -torch.log(-torch.log(drawn.clamp(1e-6, 1 - 1e-6)))

    def _draw(self, score: Tensor, eligible: Tensor, gumbel: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Indices (B, count) of drawn candidates and whether each is eligible, which none is where candidates have run out."""
        key = (score / self.temperature + gumbel).masked_fill(~eligible, -torch.inf)
        last = key.shape[1] - 1
        # As many columns on every rank, so that they can be gathered.
        missing = max(count - key.shape[1], 0)
        index = F.pad(key, (0, missing), value=-torch.inf).topk(count, dim=1).indices
        return index.clamp(max=last), F.pad(eligible, (0, missing)).gather(1, index)


def lies_beside(boxes: Tensor, targets: Tensor) -> Tensor:
    """(B, K) bool: at most half of a box lies in the target, at most half of the target in it, and its centre is outside.

    Otherwise it may show a part of the target, or the target with what surrounds it.

    Args:
        boxes: (B, K, 4) cxcywh.
        targets: (B, 1, 4).
    """
    shared = iou_cxcywh(boxes, targets)
    area, whole = boxes[..., 2] * boxes[..., 3], targets[..., 2] * targets[..., 3]
    overlap = shared * (area + whole) / (1 + shared)
    centred = ((boxes[..., :2] - targets[..., :2]).abs() < targets[..., 2:] / 2).all(dim=-1)
    return (overlap <= 0.5 * torch.minimum(area, whole)) & ~centred


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), 'little')


def min_max_normalise(scores: Tensor, exists: Tensor) -> Tensor:
    """Min-max normalise each row of (B, K) scores over the boxes that exist."""
    low = scores.masked_fill(~exists, torch.inf).amin(dim=1, keepdim=True)
    high = scores.masked_fill(~exists, -torch.inf).amax(dim=1, keepdim=True)
    return ((scores - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def _cut(boxes: Tensor) -> Tensor:
    """Cut (B, K, 4) cxcywh boxes at the edges of [0, 1]; one that lies outside keeps no area."""
    low = (boxes[..., :2] - boxes[..., 2:] / 2).clamp(0, 1)
    high = (boxes[..., :2] + boxes[..., 2:] / 2).clamp(0, 1)
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def _take(boxes: Tensor, index: Tensor) -> Tensor:
    return boxes.gather(1, index[..., None].expand(-1, -1, 4))
