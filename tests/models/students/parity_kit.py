"""Weights in an authors' layout with the authors' outputs, for the tests of every student."""
import sys
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn

from mmduet.models.conversion import convert, recognise
from tests.shared_data import shared


class ParityKit:
    """The kit of a name; its weights go into a model of full size, and the test that asks is skipped where it is absent.

    Attributes:
        spec: what the kit says of itself, with its ``outputs`` by name.
        inputs: of the authors' model.
        windows: (B, 4) xyxy pixels of the images on their canvases.
    """

    def __init__(self, name: str, model: nn.Module) -> None:
        path = shared(f'parity/dev/{name}.json').with_suffix('')
        sys.path.insert(0, str(shared('parity')))
        import compare_kit

        self._compare = compare_kit.compare
        self.spec, self._expected, weights, self.inputs = compare_kit.load_kit(str(path))
        model.load_state_dict(convert(weights, recognise(weights)), strict=True)
        self.windows = torch.tensor([[left, top, left + width, top + height]
                                     for top, left, height, width in self.spec['input_spec']['valid']])

    def check(self, got: dict[str, Tensor], left_out: Collection[str] = ()) -> None:
        """Compare what a student gives, by the names of the kit's outputs: all of them but those left out."""
        rows = self._compare(self.spec, self._expected, got)
        assert {name for name, *_ in rows} == set(self.spec['outputs']) - set(left_out)
        assert [row for row in rows if not row[-1]] == []


def keep_in(got: dict[str, Tensor]) -> Callable[..., Callable[..., None]]:
    """Make forward hooks that put what they pick of a module's arguments and output into ``got``, by name."""
    def keep(**names: Callable[[Any, Any], Tensor]) -> Callable[..., None]:
        return lambda module, arguments, output: got.update({name: pick(arguments, output) for name, pick in names.items()})

    return keep
