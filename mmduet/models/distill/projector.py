"""From the student's width to the teacher's."""
import torch.nn.functional as F
from torch import Tensor, nn


class Projector(nn.Module):
    """Two layers C -> C -> D, and unit norm; owned by a distillation head, absent from prediction.

    Args:
        channels: C.
        embed_dims: D.
    """

    def __init__(self, channels: int, embed_dims: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, embed_dims))

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) to (..., D) of unit norm."""
        return F.normalize(self.layers(features), dim=-1)
