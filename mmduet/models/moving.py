"""Copies to the device that the processor does not wait for."""
from collections.abc import Mapping

import torch
from torch import Tensor


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device."""
    if device.type == 'cuda' and tensor.device.type == 'cpu' and torch.cuda.is_available():
        # From pageable memory a copy returns when it is done. PyTorch keeps the page until the device has read it.
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def move_together(tensors: Mapping[str, Tensor], kind: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """Tensors of the host, of one type, on the device by one copy."""
    flat = move(torch.cat([tensor.reshape(-1).to(kind) for tensor in tensors.values()]), device)
    parts = flat.split([tensor.numel() for tensor in tensors.values()])
    return {name: part.view(tensor.shape) for (name, tensor), part in zip(tensors.items(), parts, strict=True)}
