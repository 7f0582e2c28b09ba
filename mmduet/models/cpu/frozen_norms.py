"""Frozen batch norms computed by the convolutions before them, which saves a pass over every map, forward and backward."""
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.frozen_batch_norm import FrozenBatchNorm2d


class FoldedConv2d(nn.Conv2d):
    """A convolution without bias that computes the frozen norm behind it in the same pass; its weight stays what it was."""

    # In a list, so that the norm stays where its checkpoint keys say it is, and nowhere else.
    norms: list[FrozenBatchNorm2d]  # of one

    def forward(self, input: Tensor) -> Tensor:
        """Convolve and normalise (B, C, H, W)."""
        if input.device.type != 'cpu':
            return super().forward(input)
        scale, shift = self.norms[0].scale_and_shift()
        return F.conv2d(input, self.weight * scale.view(-1, 1, 1, 1), shift, self.stride, self.padding, self.dilation,
                        self.groups)


class FoldedNorm(FrozenBatchNorm2d):
    """A frozen norm that its convolution has computed."""

    def forward(self, x: Tensor) -> Tensor:
        """Pass (B, C, H, W) on."""
        return super().forward(x) if x.device.type != 'cpu' else x


def fold_frozen_norms(network: nn.Module) -> None:
    """Fold every frozen norm of a ResNet into its convolution, ``bn1`` into ``conv1`` and ``downsample.1`` into ``.0``."""
    for module in network.modules():
        for name, norm in module.named_children():
            before = name.replace('bn', 'conv') if name.startswith('bn') else str(int(name) - 1) if name.isdigit() else ''
            conv = getattr(module, before, None) if before else None
            if type(norm) is FrozenBatchNorm2d and type(conv) is nn.Conv2d and conv.bias is None:
                norm.__class__ = FoldedNorm
                conv.__class__ = FoldedConv2d
                object.__setattr__(conv, 'norms', [norm])


def unfold_frozen_norms(network: nn.Module) -> None:
    """Undo ``fold_frozen_norms``."""
    for module in network.modules():
        kind: type[nn.Module] = type(module)
        if kind is FoldedConv2d:
            module.__class__ = nn.Conv2d
            object.__delattr__(module, 'norms')
        elif kind is FoldedNorm:
            module.__class__ = FrozenBatchNorm2d
