"""Exchanging what a model is made of for what is faster on a CPU."""
from collections.abc import Callable
from typing import TypeVar

from mmcv.cnn import Linear as MMCVLinear
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.backbones.swin import ShiftWindowMSA
from mmdet.models.layers import PatchMerging
from torch import nn
from transformers import PreTrainedModel

from mmduet.models.cpu.attention import CPUMultiheadAttention, CPURelativePositionAttention, CPUTokenAttention, is_simple
from mmduet.models.cpu.dropout import CPUDropout
from mmduet.models.cpu.linear import CPULinear
from mmduet.models.cpu.qrnet import CPUQRNet, CPUQueryModulatedAttention
from mmduet.models.cpu.swin import CPUFFN, CPUPatchMerging, CPUShiftWindowMSA, is_piecewise, merges_quads
from mmduet.models.folding import fold_frozen_norms, unfold_frozen_norms
from mmduet.models.layers.attention import RelativePositionAttention, TokenAttention
from mmduet.models.layers.query_modulated_attention import QueryModulatedAttention
from mmduet.models.students.qrnet import QRNet

Model = TypeVar('Model', bound=nn.Module)

FASTER: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: CPULinear, MMCVLinear: CPULinear, nn.Dropout: CPUDropout, nn.MultiheadAttention: CPUMultiheadAttention,
    TokenAttention: CPUTokenAttention, RelativePositionAttention: CPURelativePositionAttention,
    ShiftWindowMSA: CPUShiftWindowMSA, FFN: CPUFFN, PatchMerging: CPUPatchMerging,
    QueryModulatedAttention: CPUQueryModulatedAttention, QRNet: CPUQRNet,
}
# What the faster class can do for some only.
FITS: dict[type[nn.Module], Callable[[nn.Module], bool]] = {
    nn.MultiheadAttention: is_simple, FFN: is_piecewise, PatchMerging: merges_quads,
}


def optimise_for_cpu(model: Model) -> Model:
    """Let the parts of a model compute by what is faster on a CPU, in place.

    A part gets another class and keeps all else: parameters, names, hooks. So checkpoints, copies, averages, distributed
    wrappers and training are as before; results and gradients differ by the order of the additions, and a dropout mask is
    another draw of the same generator (the rate rounded to 2^-16), but for networks of transformers, which keep their own.
    A part whose input lies on another device computes as before.

    Args:
        model: any module. Parts are known by their very class, ``nn.Linear`` and not what derives from it.

    Returns:
        The same model.

    >>> from torch import nn
    >>> from mmduet.models.cpu import optimise_for_cpu
    >>> type(optimise_for_cpu(nn.Sequential(nn.Linear(4, 4)))[0]).__name__
    'CPULinear'
    """
    theirs = {part for network in model.modules() if isinstance(network, PreTrainedModel)
              for part in network.modules() if isinstance(part, nn.Dropout)}
    for module in model.modules():
        kind = type(module)
        if kind in FASTER and module not in theirs and (kind not in FITS or FITS[kind](module)):
            module.__class__ = FASTER[kind]
    fold_frozen_norms(model)
    return model


def undo_for_cpu(model: Model) -> Model:
    """Undo ``optimise_for_cpu``, in place: the parts as their papers and the host have them.

    >>> from torch import nn
    >>> from mmduet.models.cpu import optimise_for_cpu, undo_for_cpu
    >>> type(undo_for_cpu(optimise_for_cpu(nn.Sequential(nn.Linear(4, 4))))[0]).__name__
    'Linear'
    """
    slower = {fast: slow for slow, fast in FASTER.items() if slow is not MMCVLinear}  # which predicts as nn.Linear does
    for module in model.modules():
        if type(module) in slower:
            module.__class__ = slower[type(module)]
    unfold_frozen_norms(model)
    return model
