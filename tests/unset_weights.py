"""Models of full size without drawing all of their random weights, which is most of the time that building one takes."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

DRAWS = {torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default}
# A prime: rows of a matrix do not begin at the same number again for as many rows.
PERIOD = 65_521


class _NoDraws(TorchDispatchMode):
    """A draw leaves a tensor as it is."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in DRAWS else func(*args, **(kwargs or {}))


class _FewDraws(TorchDispatchMode):
    """A draw draws the first numbers of a large tensor and repeats them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        weights = args[0] if func in DRAWS else None
        if weights is None or weights.numel() <= PERIOD or not weights.is_contiguous():
            return func(*args, **(kwargs or {}))
        drawn = func(weights.new_empty(PERIOD), *args[1:], **(kwargs or {}))
        for part in weights.view(-1).split(PERIOD):
            part.copy_(drawn[:len(part)])
        return weights


@contextmanager
def unset_weights() -> Iterator[None]:
    """Within, models are built whose weights are whatever was in memory: for shapes and names, and weights to be loaded."""
    with _NoDraws():
        yield


@contextmanager
def repeated_weights() -> Iterator[None]:
    """Within, models are built whose weights have their distribution and repeat a few numbers: for answers of any kind."""
    with _FewDraws():
        yield
