"""Linear layers over many tokens at the speed of the processor, whoever made it."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Below these a convolution costs more to set up than it saves; one that learns runs backward too.
FEWEST_ROWS = 64
FEWEST_ROWS_TO_LEARN = 256
FEWEST_WEIGHTS = 1 << 15
# Fewer weights are worth it over many rows, where nothing is learnt.
VERY_FEWEST_WEIGHTS = 1 << 13
FEWEST_PRODUCTS = 1 << 23
# Torch convolves no more numbers than these by a slow loop, whatever it has.
LARGEST_SLOW_INPUT = 20480


def linear(tokens: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``; for many tokens on a CPU with AVX-512, as the convolution of one pixel that it is.

    PyTorch multiplies float32 matrices by MKL, which leaves half of the vector width of AMD's processors idle, and convolves
    by oneDNN, which does not. Values and gradients differ by the order of the additions.
    """
    if not _convolves_faster(tokens, weight):
        return F.linear(tokens, weight, bias)
    # The tokens are pixels of one column, channels last. Dilation, which changes nothing for a kernel of one pixel, makes torch
    # take oneDNN with a single thread too.
    column = tokens.reshape(1, -1, 1, tokens.shape[-1]).permute(0, 3, 1, 2)
    mapped = F.conv2d(column, weight[:, :, None, None], bias, dilation=2)
    return mapped.permute(0, 2, 3, 1).reshape(*tokens.shape[:-1], weight.shape[0])


def _convolves_faster(tokens: Tensor, weight: Tensor) -> bool:
    if tokens.device.type != 'cpu' or not tokens.dtype == weight.dtype == torch.float32 or torch.is_autocast_enabled('cpu'):
        return False
    learns = torch.is_grad_enabled() and (tokens.requires_grad or weight.requires_grad)
    rows, weights = tokens.numel() // tokens.shape[-1], weight.numel()
    if weights >= FEWEST_WEIGHTS:
        enough = rows >= (FEWEST_ROWS_TO_LEARN if learns else FEWEST_ROWS)
    else:
        enough = not learns and weights >= VERY_FEWEST_WEIGHTS and rows * weights >= FEWEST_PRODUCTS
    return (enough and tokens.numel() > LARGEST_SLOW_INPUT
            and torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == 'AVX512')


class CPULinear(nn.Linear):
    """``nn.Linear`` that computes by ``linear``, which on another device is ``F.linear``."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., O) for (..., I)."""
        return linear(input, self.weight, self.bias)
