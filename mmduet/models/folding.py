"""Frozen batch norms computed by the convolutions before them, which saves a pass over every map, forward and backward."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.models.layers.frozen_batch_norm import FrozenBatchNorm2d


class FoldedConv2d(nn.Conv2d):
    """A convolution without bias that computes the frozen norm behind it in the same pass; its weight stays what it was.

    The weight trains as before: it is multiplied by the norm's factors at every call, which costs a pass over the weights.
    """

    # In a list, so that the norm stays where its checkpoint keys say it is, and nowhere else.
    norms: list[FrozenBatchNorm2d]  # of one
    keeps_product = False  # whether a product is used again where nothing is learnt
    _constants: tuple[Any, Tensor, Tensor] | None = None  # of the norm: what they were computed from, factors and summands
    _product: tuple[Any, Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Convolve and normalise (B, C, H, W)."""
        weight, shift = self._fold()
        return F.conv2d(input, weight, shift, self.stride, self.padding, self.dilation, self.groups)

    def _fold(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of convolution and norm together."""
        norm = self.norms[0]
        if torch.compiler.is_compiling():
            scale, shift = norm.scale_and_shift()
            return self.weight * scale.view(-1, 1, 1, 1), shift
        state = _state_of(*norm.buffers())
        if self._constants is None or self._constants[0] != state:
            with torch.inference_mode(False), torch.no_grad():  # for whoever learns next
                self._constants = state, *norm.scale_and_shift()
        _, scale, shift = self._constants
        if torch.is_grad_enabled() or not self.keeps_product:
            return self.weight * scale.view(-1, 1, 1, 1), shift
        state = state, _state_of(self.weight)
        if self._product is None or self._product[0] != state:
            self._product = state, self.weight * scale.view(-1, 1, 1, 1)
        return self._product[1], shift

    def __getstate__(self) -> dict[str, Any]:
        # What was kept is known by the tensors it came from, and those of a copy are others.
        return {name: value for name, value in super().__getstate__().items() if name not in ('_constants', '_product')}


def _state_of(*tensors: Tensor) -> tuple[Any, ...]:
    """What changes where a tensor is exchanged, moved or written to."""
    return tuple((tensor.untyped_storage()._cdata, tensor.device, tensor._version) for tensor in tensors)


class FoldedNorm(FrozenBatchNorm2d):
    """A frozen norm that its convolution has computed."""

    def forward(self, x: Tensor) -> Tensor:
        """Pass (B, C, H, W) on."""
        return x


def fold_frozen_norms(network: nn.Module) -> int:
    """Fold every frozen norm of a ResNet into its convolution, ``bn1`` into ``conv1`` and ``downsample.1`` into ``.0``.

    Parameters, names and what a checkpoint holds stay as they are; maps and gradients differ by rounding. Returns how many
    norms are folded now.
    """
    folded = 0
    for module in network.modules():
        for name, norm in module.named_children():
            before = name.replace('bn', 'conv') if name.startswith('bn') else str(int(name) - 1) if name.isdigit() else ''
            conv = getattr(module, before, None) if before else None
            if type(norm) is FrozenBatchNorm2d and type(conv) is nn.Conv2d and conv.bias is None:
                norm.__class__ = FoldedNorm
                conv.__class__ = FoldedConv2d
                object.__setattr__(conv, 'norms', [norm])
                folded += 1
    return folded


def keep_products(network: nn.Module) -> None:
    """Let folded convolutions multiply their weights by the norms' factors once and not at every call, to predict alone.

    A weight that PyTorch knows to be written to (an optimizer's step, ``load_state_dict``) is multiplied anew; one that is
    written to behind its back, by ``weight.data``, is not.
    """
    for module in network.modules():
        if type(module) is FoldedConv2d:
            module.keeps_product = True


def unfold_frozen_norms(network: nn.Module) -> None:
    """Undo ``fold_frozen_norms``."""
    for module in network.modules():
        kind: type[nn.Module] = type(module)
        if kind is FoldedConv2d:
            module.__class__ = nn.Conv2d
            for name in ('norms', 'keeps_product', '_constants', '_product'):
                module.__dict__.pop(name, None)
        elif kind is FoldedNorm:
            module.__class__ = FrozenBatchNorm2d
