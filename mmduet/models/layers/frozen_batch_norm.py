"""Batch norm whose statistics and affine parameters are constants."""
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import ops

from mmduet.registry import MODELS


@MODELS.register_module()
class FrozenBatchNorm2d(ops.FrozenBatchNorm2d):
    """TorchVision's batch norm with everything fixed as buffers, computed by one fused operation as ``nn.BatchNorm2d`` is.

    The four buffers are named as in ``nn.BatchNorm2d``, so checkpoints of both load; its ``num_batches_tracked`` is dropped.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by the constants."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """The norm as (C,) factors and (C,) summands."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale
