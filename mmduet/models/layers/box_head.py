"""The head that reads a box from an embedding."""
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class BoxHead(nn.Module):
    """A multi-layer perceptron to four logits, ReLU between its layers.

    Args:
        channels: C, width of input and hidden layers.
        num_layers: at least 1.
    """

    def __init__(self, channels: int, num_layers: int = 3) -> None:
        super().__init__()
        widths = [channels] * num_layers + [4]
        self.layers = nn.ModuleList(nn.Linear(low, high) for low, high in pairwise(widths))

    def forward(self, query: Tensor) -> Tensor:
        """Map (..., C) embeddings to (..., 4) logits of cxcywh boxes; a sigmoid makes them boxes in [0, 1]."""
        for layer in self.layers[:-1]:
            query = F.relu(layer(query))
        logits: Tensor = self.layers[-1](query)
        return logits
