"""Dropout that does not dominate a training step."""
import torch
from torch import Tensor, nn

# A draw of 64 bits serves four elements, 16 bits each; torch's own mask draws once for every element, on one thread.
LEVELS = 1 << 16
PER_DRAW = 4


class CPUDropout(nn.Dropout):
    """``nn.Dropout`` whose mask is drawn four elements at a time, from the same generator; its rate is rounded to 2^-16."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of a tensor of any shape, and scale the others; the same tensor outside training."""
        if input.device.type != 'cpu' or not self.p < 1:
            return super().forward(input)
        return dropout(input, self.p if self.training else 0.0)


def dropout(x: Tensor, rate: float) -> Tensor:
    """Drop elements of a tensor of any shape with probability ``rate`` in [0, 1), and scale the others."""
    return x * keep_mask(x.shape, rate).to(x.dtype) if rate else x


def keep_mask(shape: torch.Size, rate: float) -> Tensor:
    """Float32 mask on the CPU: 0 with probability ``rate`` in [0, 1), else what keeps the mean at 1."""
    dropped = round(rate * LEVELS)
    numbers = torch.empty(-(-shape.numel() // PER_DRAW), dtype=torch.int64).random_(-2**63, None)
    kept = numbers.view(torch.int16)[:shape.numel()] >= dropped - LEVELS // 2
    return kept.view(shape).float().mul_(LEVELS / (LEVELS - dropped))
