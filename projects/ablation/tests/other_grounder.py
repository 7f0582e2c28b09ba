"""A student that starts otherwise than the tiny grounder under the same seed."""
import torch

from mmduet.registry import MODELS
from tests.tiny_grounder import TinyGrounder


@MODELS.register_module()
class OtherGrounder(TinyGrounder):
    """Draws a number before its weights."""

    def __init__(self, dropout: float = 0.2, poison: str | None = None) -> None:
        torch.rand(1)
        super().__init__(dropout, poison)
