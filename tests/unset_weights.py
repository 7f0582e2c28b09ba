"""Models of full size whose random weights are never drawn, which is most of the time that building one takes."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

DRAWS = {torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default, torch.ops.aten.erfinv_.default}


class _NoDraws(TorchDispatchMode):
    """A draw leaves a tensor as it is."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in DRAWS else func(*args, **(kwargs or {}))


@contextmanager
def unset_weights() -> Iterator[None]:
    """Within, models are built whose weights are whatever was in memory: for shapes and names, and weights to be loaded."""
    with _NoDraws():
        yield
