"""Parts of the host that a graph of any batch cannot hold as they are, computed another way with the same values."""
from copy import deepcopy
from typing import TypeVar

from mmdet.models.backbones.swin import ShiftWindowMSA
from torch import Tensor, nn

from mmduet.models.cpu import undo_for_cpu
from mmduet.models.cpu.swin import window_layout

Model = TypeVar('Model', bound=nn.Module)


class ExportedShiftWindowMSA(ShiftWindowMSA):
    """``ShiftWindowMSA`` without division by a batch: MMDetection counts images by it, which fixes their number in a graph."""

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend among the (B, H * W, C) tokens of a map of (H, W), window by window."""
        parts, channels = self.w_msa, query.shape[2]
        layout = window_layout(*hw_shape, self.window_size, self.shift_size)
        windows = layout.divide(query).unflatten(1, (-1, self.window_size**2))
        split = parts.qkv(windows).unflatten(3, (3, parts.num_heads, channels // parts.num_heads))
        queries, keys, values = split.permute(3, 0, 1, 4, 2, 5)
        index, table = parts.relative_position_index, parts.relative_position_bias_table
        scores = table.t().index_select(1, index.flatten()).unflatten(1, index.shape)[None]
        if layout.mask is not None:
            scores = scores + layout.mask
        # Written out: the fused attention of ONNX takes four axes, not the fifth of the windows.
        attention = (queries @ keys.transpose(-2, -1) * parts.scale + scores).softmax(dim=-1)
        mixed = (attention @ values).transpose(2, 3).flatten(3).flatten(1, 2)
        attended: Tensor = self.drop(parts.proj(layout.join(mixed)))
        return attended


EXPORTABLE: dict[type[nn.Module], type[nn.Module]] = {ShiftWindowMSA: ExportedShiftWindowMSA}


def make_exportable(model: Model) -> Model:
    """A copy of a model on the CPU, in eval mode and without gradients, whose parts a graph can hold."""
    copy = undo_for_cpu(deepcopy(model)).cpu().requires_grad_(False)
    copy.eval()  # which returns nothing in parts of MMDetection
    for module in copy.modules():
        module.__class__ = EXPORTABLE.get(type(module), type(module))
    return copy
