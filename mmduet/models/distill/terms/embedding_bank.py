"""What earlier steps of the same update have embedded, where gradients are accumulated."""
import torch
from torch import Tensor


class EmbeddingBank:
    """Rows of the training calls since the last update, without gradient."""

    def __init__(self) -> None:
        self._step = -1
        self._rows: tuple[Tensor, ...] = ()

    def join(self, step: int, *rows: Tensor) -> tuple[Tensor, ...]:
        """Tensors of a call, each followed by the rows that earlier calls with the same ``step`` brought for it."""
        if step == self._step:
            rows = tuple(torch.cat(pair) for pair in zip(rows, self._rows, strict=True))
        self._step, self._rows = step, tuple(tensor.detach() for tensor in rows)
        return rows
