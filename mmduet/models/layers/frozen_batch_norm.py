"""Batch norm whose statistics and affine parameters are constants."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.registry import MODELS


@MODELS.register_module()
class FrozenBatchNorm2d(nn.Module):
    """Batch norm with everything fixed as buffers, computed by one fused operation as ``nn.BatchNorm2d`` is.

    The four buffers are named as in ``nn.BatchNorm2d``, so checkpoints of both load; its ``num_batches_tracked`` is dropped.
    TorchVision's, which has the same buffers, takes over a second to import.

    Args:
        num_features: C.
        eps: added to the variance.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (('weight', 1.0), ('bias', 0.0), ('running_mean', 0.0), ('running_var', 1.0)):
            self.register_buffer(name, torch.full((num_features, ), value))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        state_dict.pop(f'{prefix}num_batches_tracked', None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by the constants."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """The norm as (C,) factors and (C,) summands."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale

    def extra_repr(self) -> str:
        """See ``nn.Module``."""
        return f'{len(self.weight)}, eps={self.eps}'
