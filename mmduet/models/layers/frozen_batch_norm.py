"""Batch norm whose statistics and affine parameters are constants, and its fusion with the convolution before it."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.registry import MODELS


@MODELS.register_module()
class FrozenBatchNorm2d(nn.Module):
    """Batch norm with everything fixed, as buffers: nothing to train, to average or to put into an optimizer.

    Where ``fold_frozen_norms`` has put it into the convolution before it, it passes its input on.
    The four buffers are named as in ``nn.BatchNorm2d``, so checkpoints of both load; its ``num_batches_tracked`` is dropped.

    Args:
        num_features: channels.
        eps: added to the variance.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.folded = False
        self.register_buffer('weight', torch.ones(num_features))
        self.register_buffer('bias', torch.zeros(num_features))
        self.register_buffer('running_mean', torch.zeros(num_features))
        self.register_buffer('running_var', torch.ones(num_features))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        state_dict.pop(f'{prefix}num_batches_tracked', None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by the constants."""
        if self.folded:
            return x
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """The norm as (C,) factors and (C,) summands."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale


class FoldedConv2d(nn.Conv2d):
    """A convolution that computes the frozen norm behind it in the same pass; its weight stays what it was.

    Args:
        conv: the convolution, without bias; its weight is shared.
        norm: the norm, which becomes an identity.
    """

    def __init__(self, conv: nn.Conv2d, norm: FrozenBatchNorm2d) -> None:
        spec: Any = conv  # whose sizes torch types as tuples of any length
        super().__init__(conv.in_channels, conv.out_channels, spec.kernel_size, spec.stride, spec.padding, spec.dilation,
                         conv.groups, bias=False, device='meta')
        self.weight = conv.weight
        # In a list, so that the norm stays where its checkpoint keys say it is, and nowhere else.
        self._norms = [norm]
        norm.folded = True

    def forward(self, input: Tensor) -> Tensor:
        """Convolve and normalise (B, C, H, W)."""
        scale, shift = self._norms[0].scale_and_shift()
        return F.conv2d(input, self.weight * scale.view(-1, 1, 1, 1), shift, self.stride, self.padding, self.dilation,
                        self.groups)


def fold_frozen_norms(network: nn.Module) -> int:
    """Fold every frozen norm of a ResNet into its convolution, ``bn1`` into ``conv1`` and ``downsample.1`` into ``.0``.

    Saves a pass over every map, forward and backward. State dict and gradients are those of the separate modules, but for
    rounding.

    Returns:
        How many norms were folded.
    """
    pairs = []
    for module in network.modules():
        for name, norm in module.named_children():
            before = name.replace('bn', 'conv') if name.startswith('bn') else str(int(name) - 1) if name.isdigit() else ''
            conv = getattr(module, before, None) if before else None
            if isinstance(norm, FrozenBatchNorm2d) and type(conv) is nn.Conv2d and conv.bias is None and not norm.folded:
                pairs.append((module, before, conv, norm))
    for module, before, conv, norm in pairs:
        setattr(module, before, FoldedConv2d(conv, norm))
    return len(pairs)
