"""How alike the anchors of a contrast are: whether they still say which expression they belong to."""
from typing import Any

import torch
from torch.utils.data import DataLoader

from mmduet.models.distill import DistilledGrounder


@torch.no_grad()
def mean_anchor_cosine(model: Any, loader: DataLoader[Any]) -> float | None:
    """Mean cosine of the anchors of different expressions of a loader; None for a model without a contrast.

    1 means that all anchors are one and no more tell expressions apart.
    """
    terms = [term for term in getattr(getattr(model, 'head', None), 'terms', {}).values() if hasattr(term, 'anchors')]
    if not isinstance(model, DistilledGrounder) or not terms:
        return None
    model.eval()
    anchors = []
    for data in loader:
        batch = model.data_preprocessor(data)['batch']
        anchors.append(terms[0].anchors(model.student.extract(batch)))
    return mean_cosine(torch.cat(anchors))


def mean_cosine(embeddings: torch.Tensor) -> float:
    """Mean cosine of the pairs of different rows of (N, D) unit-norm embeddings."""
    count = len(embeddings)
    return (embeddings.sum(dim=0).square().sum().item() - count) / (count * (count - 1))
