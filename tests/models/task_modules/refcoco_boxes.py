"""Target boxes as large and as oblong as those of RefCOCO, RefCOCO+ and RefCOCOg, by quantiles of those of val and test."""
import numpy as np
import torch
from torch import Tensor

SHARES = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1]
# sqrt(width * height), as a share of the image; and log(width / height), of both as shares.
SIZES = [0.172, 0.22, 0.24, 0.258, 0.293, 0.324, 0.358, 0.394, 0.437, 0.488, 0.553, 0.652, 0.734, 0.892, 1.0]
ASPECTS = [-2.755, -1.73, -1.433, -1.248, -0.982, -0.785, -0.621, -0.461, -0.303, -0.141, 0.051, 0.359, 0.619, 1.209, 2.908]


def draw_refcoco_boxes(count: int, seed: int = 0) -> Tensor:
    """(count, 4) cxcywh in [0, 1] of the image, size and aspect apart, anywhere inside."""
    uniform = np.random.default_rng(seed).random((count, 4))
    size = np.interp(uniform[:, 0], SHARES, SIZES)
    half_aspect = np.interp(uniform[:, 1], SHARES, ASPECTS) / 2
    sides = np.minimum(size[:, None] * np.exp(np.stack([half_aspect, -half_aspect], axis=1)), 1)
    return torch.tensor(np.concatenate([sides / 2 + (1 - sides) * uniform[:, 2:], sides], axis=1), dtype=torch.float32)
