"""The first transform: the file's pixels."""
from typing import Any

from mmcv.transforms import BaseTransform

from mmduet.datasets.errors import ImageError
from mmduet.datasets.image_io import read_photo
from mmduet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Decode ``img_path`` to ``img``, (h, w, 3) RGB uint8; an ``img`` that is already there is kept.

    Adds ``ori_shape`` (h, w) of the file and ``photo_shape``, the same until a crop changes it.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load one photo.

        Raises:
            ImageError: the file is missing or broken, or has not the ``height`` and ``width`` its annotation says.
        """
        photo = results['img'] if 'img' in results else read_photo(results['img_path'])
        shape = photo.shape[:2]
        expected = (results.get('height', shape[0]), results.get('width', shape[1]))
        if shape != expected:
            raise ImageError(f'{results["img_path"]} is {shape[1]} x {shape[0]} pixels, its annotation says '
                             f'{expected[1]} x {expected[0]}: boxes would be off')
        results.update(img=photo, ori_shape=shape, photo_shape=shape)
        return results
