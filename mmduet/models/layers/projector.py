"""From the width of a student to that of an embedding space."""
import torch.nn.functional as F
from torch import Tensor, nn


class Projector(nn.Module):
    """Two layers from the C ``channels`` of the student to the D ``embed_dims`` of the teacher, and unit norm.

    >>> import torch
    >>> from mmduet.models.layers import Projector
    >>> embedded = Projector(channels=64, embed_dims=512)(torch.rand(2, 7, 64))
    >>> tuple(embedded.shape), round(embedded[0, 0].norm().item(), 4)
    ((2, 7, 512), 1.0)
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, embed_dims))

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D) of unit norm."""
        return F.normalize(self.layers(features), dim=-1)

    def __call__(self, features: Tensor) -> Tensor:  # for the type checker: nn.Module's gives Any
        """See ``forward``."""
        return super().__call__(features)
