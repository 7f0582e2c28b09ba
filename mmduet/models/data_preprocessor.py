"""Photos of a batch, as bytes, to normalised canvases on the model's device."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmduet.registry import MODELS
from mmduet.structures import padding_mask, stack_windows


@MODELS.register_module()
class GroundingDataPreprocessor(BaseDataPreprocessor):
    """Normalise each photo and place it on a zero canvas, as the TransVG family does, after the copy to the device.

    Only the bytes of the photos travel to the device: a quarter of the float canvas, less its padding. Data samples stay
    where they are; a student moves the few numbers it needs in one piece.

    Args:
        mean, std: RGB statistics in [0, 1]; ImageNet's by default.
    """

    def __init__(self, mean: Sequence[float] = (0.485, 0.456, 0.406), std: Sequence[float] = (0.229, 0.224, 0.225)) -> None:
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn ``inputs``, a list of (3, h, w) uint8 RGB photos, into (B, 3, S, S) float canvases in channels-last order.

        Raises:
            ValueError: a photo whose size is not that of its sample's canvas content.
        """
        samples = data['data_samples']
        size = samples[0].canvas.size
        canvases = torch.zeros(len(samples), 3, size, size, device=self.device).to(memory_format=torch.channels_last)
        for canvas, photo, sample in zip(canvases, data['inputs'], samples, strict=True):
            place = sample.canvas
            if tuple(photo.shape) != (3, place.height, place.width) or place.size != size:
                raise ValueError(f'{sample.img_path}: photo {tuple(photo.shape)} does not fit its {place}')
            pixels = photo.to(self.device, non_blocking=True).float().div_(255)
            canvas[:, place.top:place.top + place.height, place.left:place.left + place.width] = (pixels - self.mean) / self.std
        return {'inputs': canvases, 'data_samples': samples}

    def to_unit_range(self, inputs: Tensor, samples: Sequence[Any]) -> Tensor:
        """Undo the normalisation: (B, 3, S, S) RGB in [0, 1], 0 at padding; what a teacher takes."""
        padding = padding_mask(stack_windows([sample.canvas for sample in samples], inputs.device), inputs.shape[-1])
        images = (inputs.float() * self.std + self.mean).clamp(0, 1)
        return images.masked_fill(padding[:, None], 0)
