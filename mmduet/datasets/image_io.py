"""Image files to RGB bytes, in one way everywhere: EXIF rotation ignored, broken files named and never replaced."""
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mmduet.datasets.errors import ImageError

Photo = NDArray[np.uint8]

# What OpenCV decodes exactly as Pillow does, three to four times a second faster; everything else goes through Pillow.
_FAST_MODES = {'JPEG': ('RGB', 'L'), 'PNG': ('RGB', 'L', 'P', 'RGBA', 'LA', '1')}
_END_MARKERS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND\xaeB`\x82'}
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_photo(path: str | Path) -> Photo:
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
    return decode_photo(content, str(path))


def decode_photo(content: bytes, name: str) -> Photo:
    """``read_photo`` of bytes that are already in memory; ``name`` stands in the error."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            photo = _decode_fast(content, image.format, image.mode) if _is_whole(content, image.format) else None
            return photo if photo is not None else _to_rgb(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow reports a broken chunk of a PNG as a SyntaxError.
        reason = 'is no image' if isinstance(error, UnidentifiedImageError) else f'is truncated or broken: {error}'
        raise ImageError(f'{name} {reason}') from error


def _is_whole(content: bytes, kind: str | None) -> bool:
    """Whether the file ends as its format must; some versions of OpenCV fill the missing part of a JPEG with grey."""
    marker = _END_MARKERS.get(kind or '')
    return marker is not None and content.rstrip(b'\0').endswith(marker)


def _decode_fast(content: bytes, kind: str | None, mode: str) -> Photo | None:
    if mode not in _FAST_MODES.get(kind or '', ()):
        return None
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS)
    return None if decoded is None else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _to_rgb(image: Image.Image) -> Photo:
    """RGB bytes of any Pillow image; deep greys are scaled to 8 bits, which Pillow itself would clip."""
    if image.mode.startswith(('I', 'F')):
        return np.repeat(_scale_to_bytes(np.asarray(image))[..., None], 3, axis=2)
    return np.array(image.convert('RGB'))


def _scale_to_bytes(deep: NDArray[Any]) -> Photo:
    """16-bit greys to bytes; 32-bit and float files hold 16-bit values, bytes or fractions of one."""
    values = deep.astype(np.float64)
    top = float(values.max(initial=0))
    full = 65535.0 if top > 255 else 255.0 if top > 1 or deep.dtype.kind != 'f' else 1.0
    if deep.dtype.itemsize == 2:
        full = 65535.0
    scaled: Photo = np.clip(np.rint(values * (255.0 / full)), 0, 255).astype(np.uint8)
    return scaled
