"""The base of score heads."""
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmduet.structures import GroundingBatch, GroundingFeatures


class ScoreHead(nn.Module, ABC):
    """How likely the last box of a student is right: K readings of its features, and a logistic calibration of them.

    The calibration (Platt 1999; over several readings a logistic regression) is fitted by
    ``mmduet calibrate-score`` on answers to expressions that no training saw, and lies in buffers.

    Args:
        scale: K factors of the readings before any calibration.
    """

    scale: Tensor
    bias: Tensor

    def __init__(self, scale: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer('scale', torch.tensor(scale, dtype=torch.float32))
        self.register_buffer('bias', torch.zeros(()))

    @abstractmethod
    def read(self, features: GroundingFeatures) -> Tensor:
        """(B, K) readings, in float32 for features in float32."""

    def forward(self, features: GroundingFeatures) -> Tensor:
        """(B,) logits of "the IoU is at least 0.5"."""
        return self.read(features) @ self.scale + self.bias

    def loss(self, features: GroundingFeatures, batch: GroundingBatch) -> dict[str, Tensor]:
        """Scalars by ``loss_<name>`` that train the head with its student; none where something else trained it."""
        return {}
