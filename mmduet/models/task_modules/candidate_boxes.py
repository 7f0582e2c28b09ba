"""Candidate boxes of an image: the target, jitters of it, near misses, and boxes anywhere."""
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateBoxes:
    """How many candidate boxes of which kind are made for an image; the numbers are those of a study on synthetic images.

    With a spread (s, z), the centre moves by up to s of the target's size, and the size is multiplied by up to e^z or e^-z.
    """

    jitters: int = 8
    near_misses: int = 8
    randoms: int = 32
    jitter_spread: tuple[float, float] = (0.15, 0.2)
    near_miss_spread: tuple[float, float] = (0.9, 0.35)
    random_scale: tuple[float, float] = (0.14, 0.42)  # sqrt(width * height) of a random box, as a share of the image
    random_aspect: float = 0.15  # it is up to e^a wider and narrower than the image's shape

    def __post_init__(self) -> None:
        if min(self.jitters, self.near_misses, self.randoms) < 0:
            raise ValueError(f'numbers of candidates must not be negative, got {self}')
        if not 0 < self.random_scale[0] <= self.random_scale[1] <= 1:
            raise ValueError(f'random_scale must be a range in (0, 1], got {self.random_scale}')

    @property
    def count(self) -> int:
        """Boxes per image, without the target."""
        return self.jitters + self.near_misses + self.randoms

    def draw(self, targets: Tensor, noise: Tensor) -> Tensor:
        """(B, count, 4) boxes for (B, 1, 4) targets from (B, count, 4) uniform noise in [0, 1).

        All are cxcywh in [0, 1] of the image, and moved back into it where they would stick out.
        """
        jitter, miss, anywhere = noise.split([self.jitters, self.near_misses, self.randoms], dim=1)
        boxes = torch.cat([_move(targets, jitter, *self.jitter_spread), _move(targets, miss, *self.near_miss_spread),
                           self._anywhere(anywhere)], dim=1)
        size = boxes[..., 2:].clamp(max=1)
        centre = torch.minimum(torch.maximum(boxes[..., :2], size / 2), 1 - size / 2)
        return torch.cat([centre, size], dim=-1)

    def _anywhere(self, noise: Tensor) -> Tensor:
        low, high = self.random_scale
        scale = low + (high - low) * noise[..., :1]
        stretch = torch.exp(self.random_aspect * (2 * noise[..., 1:2] - 1))
        size = torch.cat([scale * stretch, scale / stretch], dim=-1).clamp(max=1)
        return torch.cat([size / 2 + (1 - size) * noise[..., 2:], size], dim=-1)


def _move(targets: Tensor, noise: Tensor, shift: float, zoom: float) -> Tensor:
    offset = 2 * noise - 1
    return torch.cat([targets[..., :2] + shift * offset[..., :2] * targets[..., 2:],
                      targets[..., 2:] * torch.exp(zoom * offset[..., 2:])], dim=-1)
