"""Precision of a loss."""
import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision ``values`` in float32 and others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
