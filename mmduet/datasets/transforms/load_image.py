"""The first transform: the file's pixels."""
from typing import Any

from mmcv.transforms import BaseTransform

from mmduet.io.errors import ImageError
from mmduet.io.images import ImageArray, read_image
from mmduet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode ``img_path`` to ``img``, (h, w, 3) RGB uint8; an ``img`` that is already there is kept.

    Adds ``ori_shape`` (h, w) of the file, ``image_shape``, the same until a crop changes it, and ``crop_window``, the xyxy
    corners of what is seen, in pixels of the file and not mirrored whatever the image is.

    Args:
        cache_mb: decoded images are kept up to so many megabytes (2^20 bytes) and not decoded again; what comes after stays
            uncached, as dropping one image for another gains nothing in an order without repeats. Every worker process has
            a cache of its own. 0 for none.
    """

    def __init__(self, cache_mb: float = 0) -> None:
        if not cache_mb >= 0:
            raise ValueError(f'cache_mb must not be negative, got {cache_mb}')
        self._free = int(cache_mb * 2**20)
        self._cache: dict[str, ImageArray] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load one image.

        Raises:
            ImageError: the file is missing or broken, or has not the ``height`` and ``width`` its annotation says.
        """
        image = results['img'] if 'img' in results else self._read(results['img_path'])
        shape = image.shape[:2]
        expected = (results.get('height', shape[0]), results.get('width', shape[1]))
        if shape != expected:
            raise ImageError(f'{results["img_path"]} is {shape[1]} x {shape[0]} pixels, its annotation says '
                             f'{expected[1]} x {expected[0]}: boxes would be off')
        results.update(img=image, ori_shape=shape, image_shape=shape, crop_window=(0, 0, shape[1], shape[0]))
        return results

    def _read(self, path: str) -> ImageArray:
        """The pixels of a file; those that the cache shares cannot be written to."""
        if path in self._cache:
            return self._cache[path]
        image = read_image(path)
        if image.nbytes <= self._free:
            image.flags.writeable = False
            self._cache[path] = image
            self._free -= image.nbytes
        return image
