"""What the anchors of a contrast say: whether they tell expressions apart, and which annotated box they choose."""
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from mmduet.models.distill import DenseContrastTerm, DistilledGrounder, DistillTerm, RankedContrastTerm
from mmduet.models.distill.terms.dense_contrast_term import token_coverage
from mmduet.structures import GroundingBatch, GroundingFeatures


def find_contrast(model: Any) -> Any:
    """The first term of a distilled model's head that has anchors; None for a model without one."""
    if not isinstance(model, DistilledGrounder):
        return None
    head: Any = model.head
    return next((term for term in head.terms.values() if hasattr(term, 'anchors')), None)


@torch.no_grad()
def mean_anchor_cosine(model: Any, loader: DataLoader[Any]) -> float | None:
    """Mean cosine of the anchors of different expressions of a loader; None for a model without a contrast.

    1 means that all anchors are one and no more tell expressions apart.
    """
    term = find_contrast(model)
    if term is None:
        return None
    return mean_cosine(torch.cat([term.anchors(features) for features, _ in _pass(model, loader)]))


def mean_cosine(embeddings: Tensor) -> float:
    """Mean cosine of the pairs of different rows of (N, D) unit-norm embeddings."""
    count = len(embeddings)
    return (embeddings.sum(dim=0).square().sum().item() - count) / (count * (count - 1))


@torch.no_grad()
def chosen_by_anchors(model: Any, loader: DataLoader[Any]) -> float | None:
    """Percent of the expressions whose anchor is nearer to the target than to any other annotated box of its image.

    None for a model without a contrast whose regions know their place, or whose regions are tokens.
    """
    term = find_contrast(model)
    if not isinstance(term, RankedContrastTerm | DenseContrastTerm):
        return None
    right = torch.cat([chooses_targets(term, features, batch) for features, batch in _pass(model, loader)])
    return 100 * right.float().mean().item()


def chooses_targets(term: DistillTerm, features: GroundingFeatures, batch: GroundingBatch) -> Tensor:
    """(B,) bool, True where an anchor is nearest to the target's region, of all annotated boxes of the image."""
    boxes = torch.cat([batch.target_boxes[:, None], batch.expand(batch.other_boxes)], dim=1)
    absent = F.pad(~batch.has_other, (1, 0))
    return nearness(term, features, boxes).masked_fill(absent, -2.0).argmax(dim=1) == 0


def nearness(term: Any, features: GroundingFeatures, boxes: Tensor) -> Tensor:
    """(B, K) how near each anchor is to the region of each of (B, K, 4) cxcywh boxes of the canvas, in [-1, 1].

    The cosine with the region's embedding; for a dense contrast the mean of the cosines with the tokens that the box covers,
    each counted by how much of it is covered.
    """
    anchors = term.anchors(features)
    if isinstance(term, RankedContrastTerm):
        return torch.einsum('bd,bkd->bk', anchors, term.regions(features.answer_map, boxes))
    tokens = torch.einsum('bd,bnd->bn', anchors, term.projector(features.answer_map.flatten(2).mT))
    covered = coverages(boxes, features.answer_map.shape[2:])
    return torch.einsum('bkn,bn->bk', covered, tokens) / covered.sum(dim=-1).clamp(min=1e-6)


def coverages(boxes: Tensor, size: torch.Size) -> Tensor:
    """(B, K, H * W) share of each token of an (H, W) map that each of (B, K, 4) cxcywh boxes covers, in [0, 1]."""
    return token_coverage(boxes.flatten(0, 1), size).unflatten(0, boxes.shape[:2])


def _pass(model: Any, loader: DataLoader[Any]) -> Iterator[tuple[GroundingFeatures, GroundingBatch]]:
    model.eval()
    for data in loader:
        batch = model.data_preprocessor(data)['batch']
        yield model.student.extract(batch), batch
