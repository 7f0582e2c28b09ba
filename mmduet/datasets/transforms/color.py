"""Random changes of colour and sharpness; boxes and words are not touched."""
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmduet.io.images import ImageArray
from mmduet.registry import TRANSFORMS

_LUMA = np.array([0.299, 0.587, 0.114])


def change_brightness(image: ImageArray, factor: float) -> ImageArray:
    """Blend with black: 0 is black, 1 the image."""
    # Nothing is negative here, so that the absolute value which this takes is the value itself.
    return cv2.convertScaleAbs(image, alpha=factor)


def change_contrast(image: ImageArray, factor: float) -> ImageArray:
    """Blend with the image's mean grey: 0 is grey, 1 the image."""
    # Sums of bytes are exact, and taken in a tenth of the time of cv2.mean.
    mean = np.rint(np.dot(cv2.sumElems(image)[:3], _LUMA) / (image.shape[0] * image.shape[1]))
    # Rounded and clipped in vector instructions; a table of the 256 values gives the same more slowly.
    return cv2.addWeighted(image, factor, image, 0.0, (1 - factor) * mean)


def change_saturation(image: ImageArray, factor: float) -> ImageArray:
    """Blend with the image in grey: 0 is grey, 1 the image."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast and saturation in random order, as Pillow defines them, on bytes throughout.

    Args:
        prob: chance of changing anything, in [0, 1].
        strength: each factor is uniform in [1 - strength, 1 + strength]; in [0, 1].
    """

    changes: tuple[Callable[[ImageArray, float], ImageArray], ...] = (change_brightness, change_contrast, change_saturation)

    def __init__(self, prob: float = 0.8, strength: float = 0.4) -> None:
        if not (0 <= prob <= 1 and 0 <= strength <= 1):
            raise ValueError(f'prob and strength must be in [0, 1], got {prob} and {strength}')
        self.prob = prob
        self.strength = strength

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the colours of ``img``, or leave them."""
        rng: np.random.Generator = results['rng']
        if rng.random() >= self.prob:
            return results
        factors = rng.uniform(1 - self.strength, 1 + self.strength, size=len(self.changes))
        image = np.ascontiguousarray(results['img'])
        for position in rng.permutation(len(self.changes)):
            image = self.changes[position](image, float(factors[position]))
        results['img'] = image
        return results
