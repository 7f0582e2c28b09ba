"""Dropout that does not dominate a training step on a CPU."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A draw of 64 bits serves four elements, 16 bits each; torch's own mask draws once for every element, on one thread.
LEVELS = 1 << 16
PER_DRAW = 4


class Dropout(nn.Module):
    """``nn.Dropout``; on a CPU its mask is drawn four elements at a time, from the same generator.

    Args:
        rate: share of the elements that is dropped, in [0, 1); on a CPU rounded to a multiple of 2^-16.

    Raises:
        ValueError: the rate is outside [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f'a dropout rate lies in [0, 1), got {rate}')
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of a tensor of any shape, and scale the others; the same tensor outside training."""
        if not self.training or self.rate == 0:
            return x
        if x.device.type != 'cpu':
            return F.dropout(x, self.rate)
        return x * keep_mask(x.shape, self.rate).to(x.dtype)


def keep_mask(shape: torch.Size, rate: float) -> Tensor:
    """Float32 mask on the CPU: 0 with probability ``rate``, else what keeps the mean at 1."""
    dropped = round(rate * LEVELS)
    numbers = torch.empty(-(-shape.numel() // PER_DRAW), dtype=torch.int64).random_(-2**63, None)
    kept = numbers.view(torch.int16)[:shape.numel()] >= dropped - LEVELS // 2
    return kept.view(shape).float().mul_(LEVELS / (LEVELS - dropped))
