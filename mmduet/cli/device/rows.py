"""What is measured, in the order of what is most wanted should time run out."""
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

TRAINING, PREDICTION = 'training', 'prediction'
# Each way has what the ways before it have; graphs are of prediction about a single image alone, and leave compiling out.
WAYS = ('eager', 'pinned', 'folded', 'compiled', 'graphs')
CUDA_ONLY = {'pinned': 'memory is pinned for a CUDA device', 'graphs': 'CUDA graphs need a CUDA device'}
# Seconds that a row of a way may take; what one of them took is taken from then on.
GUESSES = {'compiled': 120.0}
GUESS = 20.0


@dataclass
class Row:
    """A way of training or predicting, and its figures once it was measured."""

    work: str
    way: str
    batch_size: int  # expressions
    expressions_per_image: int
    figures: dict[str, Any] = field(default_factory=dict)
    skipped: str = ''  # why there are no figures

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        return f'{self.work}, {self.way}, B = {self.batch_size}, k = {self.expressions_per_image}'


def plan(batch_sizes: Sequence[int], numbers: Sequence[int]) -> list[list[Row]]:
    """The rows: those of the first batch size that cost little, single images, then what is compiled and larger."""
    def rows(size: int, ways: Sequence[str]) -> list[Row]:
        return [Row(work, way, size, k) for k in numbers for work in (TRAINING, PREDICTION) for way in ways]

    first, *others = batch_sizes
    single = [Row(PREDICTION, way, 1, 1) for way in ('folded', 'graphs')]
    return [rows(first, WAYS[:3]), single, rows(first, ['compiled']), *(rows(size, WAYS[:4]) for size in others)]


class Budget:
    """Minutes that all takes together; says of what comes next whether it fits into what is left."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes
        self._took: dict[str, float] = defaultdict(float)

    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    def fits(self, kind: str) -> bool:
        """Whether another of its kind can be measured, by the longest so far."""
        return self.left() > (self._took[kind] or GUESSES.get(kind, GUESS))

    def took(self, kind: str, seconds: float) -> None:
        """Note how long one took."""
        self._took[kind] = max(self._took[kind], seconds)
