"""Image files to RGB bytes, in one way everywhere: EXIF rotation ignored, broken files named and never replaced."""
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mmduet.io.errors import ImageError

ImageArray = NDArray[np.uint8]
_END_OF_JPEG = b'\xff\xd9'
_KNOWS_RGB = hasattr(cv2, 'IMREAD_COLOR_RGB')
_AS_STORED = getattr(cv2, 'IMREAD_COLOR_RGB', cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION


def read_image(path: str | Path) -> ImageArray:
    """Decode an image file to (h, w, 3) RGB uint8, whatever its mode; boxes of COCO refer to this frame.

    Raises:
        ImageError: the file is missing, empty, truncated or no image; names it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f'{path} cannot be read: {error.strerror or error}') from error
    if not content:
        raise ImageError(f'{path} is empty (zero bytes)')
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> ImageArray:
    """``read_image`` of bytes that are already in memory; ``name`` stands in the error.

    A whole JPEG is decoded by OpenCV: the same pixels by the same library, straight to an array, in three quarters of the
    time. What OpenCV would fill with grey or cannot read is Pillow's, which names what is wrong with it.
    """
    with open_image(io.BytesIO(content), name) as image:
        pixels = _decode_jpeg(content, image) if image.format == 'JPEG' and image.mode == 'RGB' else None
        return _to_rgb(image) if pixels is None else pixels


@contextmanager
def open_image(source: Path | io.BytesIO, name: str) -> Iterator[Image.Image]:
    """An image whose pixels Pillow has not read yet; an ``ImageError`` names it if that or what is done with it fails."""
    try:
        with Image.open(source) as image:
            yield image
    except UnidentifiedImageError as error:
        raise ImageError(f'{name} is no image') from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow reports a broken chunk of a PNG as a SyntaxError.
        raise ImageError(f'{name} is truncated or broken: {error}') from error


def _decode_jpeg(content: bytes, image: Image.Image) -> ImageArray | None:
    """(h, w, 3) RGB bytes of a JPEG whose last bytes are there; None where OpenCV cannot read it."""
    if not content.endswith(_END_OF_JPEG) and not content.rstrip(b'\0').endswith(_END_OF_JPEG):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), _AS_STORED)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    if not _KNOWS_RGB:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return pixels


def _to_rgb(image: Image.Image) -> ImageArray:
    """RGB bytes of any Pillow image; 16-bit greys are scaled to 8 bits, where Pillow itself would clip them."""
    if image.mode == 'F':
        raise ValueError('it holds floating-point pixels, whose range is unknown')
    if image.mode.startswith('I'):
        grey = np.clip(np.rint(np.asarray(image) / 257), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert('RGB'))
