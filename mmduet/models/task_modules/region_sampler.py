"""Drawing positive and negative regions for the region-contrastive loss."""
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.dist import get_rank
from torch import Tensor

from mmduet.models.task_modules.candidate_boxes import CandidateBoxes
from mmduet.structures import Regions, from_content, to_content
from mmduet.structures.boxes import iou_cxcywh

# A positive never has weight 0, or an image whose drawn positives all score 0 would silently drop out.
LEAST_WEIGHT = 1e-3


@dataclass(kw_only=True)
class RegionSampler(ABC):
    """Make candidate boxes, class them by overlap with the target, and draw some of each class by a score.

    Candidates with IoU >= ``positive_iou`` are positives, those below ``negative_iou`` negatives, the rest neither. Within a
    class, regions are drawn without replacement with probability ~ softmax(score / temperature) (Gumbel top-k).

    Semantics are min-max normalised over the candidates of an image, as teachers differ in how far their similarities spread.
    The draws of a step depend on (``seed``, rank, step) alone: a resumed run draws what an unbroken one does.
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
            location: (B, K) IoU with the target.
            semantics: (B, K) in [0, 1], how well the region fits the expression; None unless ``reads_semantics``.
            annotated: (K,) bool, True where the candidate is the annotated box of another object of the image.
        """

    def sample(self, boxes: Tensor, content: Tensor, size: int, step: int,
               semantics: Callable[[Tensor], Tensor] | None = None, others: Tensor | None = None) -> Regions:
        """Draw the regions of a batch.

        Args:
            boxes: (B, 4) targets, cxcywh in [0, 1] of the canvas.
            content: (B, 4) int xyxy pixels of the images on their canvases.
            size: side of the canvas, pixels.
            step: number of the draw.
            semantics: maps (B, K, 4) candidates, cxcywh in [0, 1] of the **image**, to (B, K) scores in [0, 1].
            others: (B, m, 4) further candidates, annotated objects, cxcywh in [0, 1] of the canvas; one without area is none.

        Raises:
            ValueError: the sampler draws by semantics and was given none.
        """
        if self.reads_semantics and semantics is None:
            raise ValueError(f'{type(self).__name__} draws by semantics and was given none')
        targets = to_content(boxes[:, None], content, size)
        objects = targets[:, :0] if others is None else to_content(others, content, size)
        noise, gumbel = self._noise(len(boxes), objects.shape[1], step, boxes.device)
        candidates = torch.cat([targets, self._boxes.draw(targets, noise), _cut(objects)], dim=1)
        exists = (candidates[..., 2:] > 0).all(dim=-1)
        location = iou_cxcywh(candidates, targets)
        scores = _normalise(semantics(candidates), exists) if self.reads_semantics and semantics is not None else None
        annotated = torch.arange(candidates.shape[1], device=boxes.device) > self._boxes.count
        as_positive, as_negative = self.scores(location, scores, annotated)
        chosen, drawn = self._draw(as_positive, exists & (location >= self.positive_iou), gumbel[0], self.positives)
        weight = as_positive.gather(1, chosen).clamp(min=LEAST_WEIGHT) * drawn
        weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=LEAST_WEIGHT)
        avoided, valid = self._draw(as_negative, exists & (location < self.negative_iou), gumbel[1], self.negatives)
        on_canvas = from_content(candidates, content, size)
        return Regions(positives=_take(on_canvas, chosen), positive_weight=weight, negatives=_take(on_canvas, avoided),
                       negative_valid=valid)

    # A generator of its own is none that a graph could hold.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _noise(self, batch: int, others: int, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(B, count, 4) uniform noise and (2, B, K) Gumbel noise, drawn on the CPU and copied once."""
        count = self._boxes.count
        key = np.random.SeedSequence([self.seed, get_rank(), step]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(key) >> 1)
        total = 4 * count + 2 * (1 + count + others)
        uniform = torch.rand(batch, total, generator=generator).to(device, non_blocking=True)
        gumbel = -torch.log(-torch.log(uniform[:, 4 * count:].clamp(1e-6, 1 - 1e-6)))
        return uniform[:, :4 * count].unflatten(1, (count, 4)), gumbel.unflatten(1, (2, -1)).transpose(0, 1)

    def _draw(self, score: Tensor, eligible: Tensor, gumbel: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Indices (B, n) of drawn candidates and whether each is eligible; n < count where there are fewer candidates."""
        key = (score / self.temperature + gumbel).masked_fill(~eligible, -torch.inf)
        index = key.topk(min(count, key.shape[1]), dim=1).indices
        return index, eligible.gather(1, index)


def _normalise(scores: Tensor, exists: Tensor) -> Tensor:
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
