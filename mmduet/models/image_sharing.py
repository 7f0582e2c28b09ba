"""Encoding a photo once for all expressions of a batch that ask about it."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SharedImages:
    """Which expressions of a batch of B look at the same U canvases.

    Attributes:
        first: (U,) int64, an expression of each canvas.
        owner: (B,) int64, the canvas of each expression. Both None where no two expressions share one.
    """

    first: Tensor | None = None
    owner: Tensor | None = None

    def encode(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Call ``function`` with one row of each (B, ...) tensor per canvas; return its rows, one per expression."""
        if self.first is None or self.owner is None:
            return function(*tensors)
        return function(*(tensor[self.first.to(tensor.device)] for tensor in tensors))[self.owner.to(tensors[0].device)]


UNSHARED = SharedImages()


def share_images(inputs: Tensor, samples: Sequence[Any]) -> SharedImages:
    """Find the expressions whose canvases are equal: of one photo by their names, and pixel by pixel.

    Args:
        inputs: (B, 3, S, S) canvases.
        samples: the data samples of the expressions.
    """
    places: dict[tuple[Any, ...], int] = {}
    owner: list[int] = []
    first: list[int] = []
    for number, sample in enumerate(samples):
        key = (sample.get('img_path', number), sample.canvas)
        # Names alone would trust the caller; a look at the pixels is cheap beside an encoder.
        if key not in places or not torch.equal(inputs[first[places[key]]], inputs[number]):
            places[key] = len(first)
            first.append(number)
        owner.append(places[key])
    if len(first) == len(samples):
        return UNSHARED
    return SharedImages(torch.tensor(first), torch.tensor(owner))
