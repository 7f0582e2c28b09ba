"""A GPU without one: tensors there know their device, shape and type, and hold no values."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

GPU = torch.device('cuda', 0)


class WaitError(AssertionError):
    """What a step does makes the processor wait for the device."""


def _on_host(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == 'cpu' and value.dim() > 0


def _copies_and_waits(func: Any, args: Any, kwargs: Any) -> bool:
    name = str(func).removeprefix('aten.')
    if name.startswith('_to_copy'):
        there = torch.device(kwargs.get('device') or 'cpu').type == GPU.type
        return there and _on_host(args[0]) and not kwargs.get('non_blocking')
    if name.startswith('copy_.') and args[0].device.type == GPU.type:
        return _on_host(args[1]) and not (args[2] if len(args) > 2 else kwargs.get('non_blocking'))
    # A list as an index is made a tensor of the host, which is copied.
    return name.startswith(('index.', 'index_put')) and any(map(_on_host, tree_leaves(args[1])))


class _OnGPU(FakeTensorMode):
    """What has to do with the GPU is computed without values, and counted; all else as ever."""

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.launched: list[str] = []
        self.moving = True
        self._inside = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = tree_leaves((args, kwargs or {}))
        if any(isinstance(leaf, FakeTensor) or (isinstance(leaf, torch.device) and leaf.type == GPU.type) for leaf in leaves):
            # Of which operations one is made is not told each time; to ask for a device is none.
            if self._inside or str(func) == 'prim.device.default':
                return super().__torch_dispatch__(func, types, args, kwargs)
            self.launched.append(str(func))
            if self.moving is False and _copies_and_waits(func, args, kwargs or {}):
                raise WaitError(f'{func}: the processor waits for a copy to the device; see mmduet.models.moving')
            self._inside = True
            try:
                return super().__torch_dispatch__(func, types, args, kwargs)
            finally:
                self._inside = False
        return func(*args, **(kwargs or {}))


@contextmanager
def fake_gpu(*models: nn.Module) -> Iterator[list[str]]:
    """Move models to a GPU that computes nothing. Within, an operation on tensors of two devices fails, as on a real one.

    So does a copy of host data that the processor waits for, and an operation whose result decides what comes next (``item``,
    ``nonzero``, a mask as index): on a real GPU the processor would wait for it. Weights have no values afterwards.

    Yields:
        Names of the operations on the GPU, which grow as they are called; views among them.
    """
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _OnGPU() as mode:
            for model in models:
                model.to(GPU)
            mode.launched.clear()
            mode.moving = False
            yield mode.launched
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


@contextmanager
def gpu_autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """``torch.autocast('cuda', dtype)``, which switches itself off where there is no GPU; nothing for None."""
    before = torch.is_autocast_enabled(GPU.type), torch.get_autocast_dtype(GPU.type)
    torch.set_autocast_enabled(GPU.type, dtype is not None)
    torch.set_autocast_dtype(GPU.type, dtype or before[1])
    try:
        yield
    finally:
        torch.set_autocast_enabled(GPU.type, before[0])
        torch.set_autocast_dtype(GPU.type, before[1])
        torch.clear_autocast_cache()
