"""Candidate boxes of an image: the target, jitters of it, near misses, boxes beside it, and jitters of the prediction."""
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateBoxes:
    """How many candidate boxes of which kind are made for an image; all sizes are relative to the target's.

    With a spread (s, z), the centre moves by up to s of a box's size, and the size is multiplied by up to e^z or e^-z.
    """

    jitters: int = 8
    near_misses: int = 8
    beside: int = 32  # anywhere in the image with the centre outside the target
    predicted: int = 8  # jitters of the student's box, where it is given
    jitter_spread: tuple[float, float] = (0.15, 0.2)
    near_miss_spread: tuple[float, float] = (0.9, 0.35)
    predicted_spread: tuple[float, float] = (0.5, 0.35)
    beside_zoom: float = 0.7

    def __post_init__(self) -> None:
        if min(self.jitters, self.near_misses, self.beside, self.predicted) < 0:
            raise ValueError(f'numbers of candidates must not be negative, got {self}')
        if self.beside_zoom < 0:
            raise ValueError(f'beside_zoom must not be negative, got {self.beside_zoom}')
        for name in ('jitter_spread', 'near_miss_spread', 'predicted_spread'):
            if min(getattr(self, name)) < 0:
                raise ValueError(f'{name} must not be negative, got {getattr(self, name)}')

    def count(self, predicted: bool) -> int:
        """Boxes per image, without the target; ``predicted`` says whether the student's box is given."""
        return self.jitters + self.near_misses + self.beside + self.predicted * predicted

    def draw(self, targets: Tensor, noise: Tensor, predicted: Tensor | None = None) -> Tensor:
        """(B, count, 4) boxes for (B, 1, 4) targets from (B, count, 4) uniform noise in [0, 1).

        All are cxcywh in [0, 1] of the image, and moved back into it where they stick out; so is ``predicted``, (B, 1, 4).
        """
        counts = [self.jitters, self.near_misses, self.beside]
        jitter, miss, beside, own = noise.split([*counts, noise.shape[1] - sum(counts)], dim=1)
        boxes = [_move(targets, jitter, *self.jitter_spread), _move(targets, miss, *self.near_miss_spread),
                 self._beside(targets, beside)]
        if predicted is not None:
            boxes.append(_move(predicted, own, *self.predicted_spread))
        drawn = torch.cat(boxes, dim=1)
        size = drawn[..., 2:].clamp(max=1)
        centre = torch.minimum(torch.maximum(drawn[..., :2], size / 2), 1 - size / 2)
        return torch.cat([centre, size], dim=-1)

    def _beside(self, targets: Tensor, noise: Tensor) -> Tensor:
        """Boxes with the centre left of, above, right of or below the target, as often as there is room.

        A box is no wider than twice the room, so that at least half of it lies outside the target, however large that is.
        """
        low = (targets[..., :2] - targets[..., 2:] / 2).clamp(0, 1)
        high = (targets[..., :2] + targets[..., 2:] / 2).clamp(0, 1)
        rooms = torch.cat([low, 1 - high], dim=-1).expand(*noise.shape[:2], 4)
        until = rooms.cumsum(dim=-1)
        place = noise[..., :1] * until[..., -1:]
        side = (place >= until).sum(dim=-1, keepdim=True).clamp(max=3)
        room = rooms.gather(-1, side)
        share = 1 - (until.gather(-1, side) - place) / room.clamp(min=1e-9)
        size = (targets[..., 2:] * torch.exp(self.beside_zoom * (2 * noise[..., 2:] - 1))).clamp(max=1)
        # Across is the axis from the border to the target, along the other.
        upright = side % 2 == 1
        across, along = torch.where(upright, size.flip(-1), size).split(1, dim=-1)
        across = torch.minimum(across, 2 * room)
        centre = across / 2 + (room - across / 2) * share.clamp(0, 1)
        centre = torch.where(side >= 2, 1 - centre, centre)
        middle = along / 2 + (1 - along) * noise[..., 1:2]
        # Not by an index: one that is a list is copied to the device, which the processor waits for.
        return torch.where(upright, torch.cat([middle, centre, along, across], dim=-1),
                           torch.cat([centre, middle, across, along], dim=-1))


def _move(boxes: Tensor, noise: Tensor, shift: float, zoom: float) -> Tensor:
    offset = 2 * noise - 1
    return torch.cat([boxes[..., :2] + shift * offset[..., :2] * boxes[..., 2:],
                      boxes[..., 2:] * torch.exp(zoom * offset[..., 2:])], dim=-1)
