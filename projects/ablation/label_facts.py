"""How far the labels of a ranked contrast are from labels by location alone."""
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from mmduet.models.distill import RankedContrastTerm
from mmduet.models.distill.terms.ranked_contrast_term import LEAST_LOCATION
from mmduet.models.task_modules.region_sampler import Candidates


@dataclass(slots=True)
class LabelFacts:
    """Sums over expressions; ``describe`` divides them.

    Attributes:
        expressions: how many.
        moved: share of a label that semantics take from some candidates and give to others (total variation).
        iou, iou_by_location: mean IoU with the target under the label, and under that by location alone.
        correlation: of semantics and IoU over the candidates whose semantics count.
    """

    expressions: float = 0
    moved: float = 0
    iou: float = 0
    iou_by_location: float = 0
    correlation: float = 0

    def add(self, term: RankedContrastTerm, found: Candidates) -> None:
        """Count a batch.

        Raises:
            ValueError: the candidates have no semantics.
        """
        if found.semantics is None:
            raise ValueError('labels are compared with those by location alone: take a sampler that reads semantics')
        label, plain = term.label(found), term.label(replace(found, semantics=None))
        counting = found.exists & (found.location >= LEAST_LOCATION)
        counted = {
            'expressions': torch.ones(len(label)), 'moved': (label - plain).abs().sum(dim=1) / 2,
            'iou': (label * found.location).sum(dim=1), 'iou_by_location': (plain * found.location).sum(dim=1),
            'correlation': correlate(found.semantics, found.location, counting),
        }
        for name, values in counted.items():
            setattr(self, name, getattr(self, name) + float(values.sum()))

    def describe(self) -> str:
        """One line."""
        means = {field.name: getattr(self, field.name) / max(self.expressions, 1) for field in fields(self)}
        return (f'labels of the ranked contrast: semantics move {100 * means["moved"]:.1f} % of a label, whose mean IoU is '
                f'{means["iou"]:.3f} ({means["iou_by_location"]:.3f} by location alone); where they count, their correlation '
                f'with the IoU is {means["correlation"]:.2f}')


def correlate(first: Tensor, second: Tensor, counting: Tensor) -> Tensor:
    """(B,) Pearson correlations of the (B, K) values that count; 0 where one of the two does not vary."""
    number = counting.sum(dim=1, keepdim=True).clamp(min=1)
    one, two = ((values - (values * counting).sum(dim=1, keepdim=True) / number) * counting for values in (first, second))
    norms = (one.square().sum(dim=1) * two.square().sum(dim=1)).sqrt()
    return (one * two).sum(dim=1) / norms.clamp(min=1e-9)
