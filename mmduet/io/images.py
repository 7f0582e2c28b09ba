"""Image files to RGB bytes, in one way everywhere: broken files named and never replaced.

Data sets are read as they are stored, which is what their boxes refer to: EXIF rotation is ignored. An image of a user is
turned as every viewer shows it (``read_upright``).

A file comes from anywhere, so what it may cost is bounded before its pixels are decoded: it is a regular file of one of
``FORMATS`` and of at most ``MOST_BYTES``, and its header says at most ``most_pixels()``. A path may go into an archive (see
``mmduet.io.image_archives``).
"""
import io
import os
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mmduet.io.errors import DataError, ImageError
from mmduet.io.files import open_regular
from mmduet.io.image_archives import read_from_open, read_inside
from mmduet.io.jpeg_ends import is_cut, looks_cut

ImageArray = NDArray[np.uint8]
# Of Pillow's formats those that data sets consist of; others run programs (EPS) or hardly anybody uses and checks.
FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF', 'GIF', 'PPM')
MOST_BYTES = 2**28
MOST_PIXELS = 2**26  # 8,192 x 8,192: 192 MiB of RGB in each worker that reads one
PIXELS_VARIABLE = 'MMDUET_MAX_IMAGE_PIXELS'
_PPM = re.compile(rb'P6\n(\d{1,6}) (\d{1,6})\n255\n')
CUT = '{} is truncated: it was cut, and its end mark put back'
_ORIENTATION = 0x0112  # EXIF: how the camera was held
_UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_90}
_END_OF_JPEG = b'\xff\xd9'
_OPAQUE = 255
_PNG = b'\x89PNG\r\n\x1a\n'
# Text and colour profiles of a PNG, compressed or not: Pillow refuses an image for a long one, and nothing here reads them.
_LEFT_OUT = (b'tEXt', b'zTXt', b'iTXt', b'iCCP')


class FloatPixelsError(ValueError):
    """An image is whole, and nobody knows which of its numbers is white."""


def most_pixels() -> int:
    """Pixels that an image may have: ``MOST_PIXELS``, or what the environment says by ``MMDUET_MAX_IMAGE_PIXELS``.

    Raises:
        ImageError: that is no positive whole number.
    """
    text = os.environ.get(PIXELS_VARIABLE, str(MOST_PIXELS))
    if not text.isdecimal() or not 0 < len(text) < 20 or int(text) < 1:
        raise ImageError(f'{PIXELS_VARIABLE} must be a positive whole number, got {text!r:.80}')
    return int(text)


def read_image(path: str | Path) -> ImageArray:
    """Decode an image file to (h, w, 3) RGB uint8, whatever its mode; boxes of COCO refer to this frame.

    Raises:
        ImageError: the file is missing, empty, truncated, too large or no image; names it.
    """
    return decode_image(_read(Path(path)), str(path))


def read_upright(path: str | Path) -> ImageArray:
    """``read_image``, turned as its camera was held, by its EXIF orientation: what a viewer shows."""
    return decode_upright(_read(Path(path)), str(path))


def check_image(path: str | Path) -> tuple[int, int]:
    """Height and width of an image that decodes; raises as ``read_image``, and for every JPEG that was cut and closed again.

    In a zip its bytes are compared with their CRC-32.
    """
    content = _read(Path(path), check=True)
    height, width = decode_image(content, str(path)).shape[:2]
    if is_cut(content):
        raise ImageError(CUT.format(path))
    return height, width


def _read(path: Path, check: bool = False) -> bytes:
    with _open(path, check) as file:
        return file.read()


def read_image_size(path: str | Path) -> tuple[int, int]:
    """Width and height that the header of an image file says, pixels; raises as ``read_image``."""
    with _open(Path(path)) as file:
        source = io.BytesIO(without_texts(file.read())) if file.read(len(_PNG)) == _PNG and not file.seek(0) else file
        with open_image(source, str(path)) as image:
            return image.size


def without_texts(content: bytes) -> bytes:
    """A PNG without texts and colour profiles, whose pixels are the same; what is no PNG, or broken, stays as it is."""
    if not content.startswith(_PNG) or not any(kind in content for kind in _LEFT_OUT):
        return content
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(content):
        end = place + 12 + int.from_bytes(content[place:place + 4], 'big')
        if content[place + 4:place + 8] not in _LEFT_OUT:
            kept.append(content[place:end])
        place = end
    return b''.join(kept) + content[place:]


@contextmanager
def _open(path: Path, check: bool = False) -> Iterator[BinaryIO]:
    try:
        with ExitStack() as stack:
            yield _enter(path, check, stack)
    except ImageError:
        raise
    except DataError as error:
        raise ImageError(str(error)) from error
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise ImageError(f'{path} cannot be read: {getattr(error, "strerror", None) or error}') from error


def _enter(path: Path, check: bool, stack: ExitStack) -> BinaryIO:
    """A file, or a member of an archive, that is not empty."""
    content = read_from_open(path, check)
    if content is None:
        try:
            file = stack.enter_context(open_regular(path, MOST_BYTES))
        except (NotADirectoryError, FileNotFoundError):
            if (content := read_inside(path, check)) is None:
                raise
        else:
            if os.fstat(file.fileno()).st_size:
                return file
    if not content:
        raise ImageError(f'{path} is empty (zero bytes)')
    return io.BytesIO(content)


def encode_ppm(image: ImageArray) -> bytes:
    """(h, w, 3) RGB uint8 as the bytes of a PPM: a header and the pixels as they are."""
    return b'P6\n%d %d\n255\n' % (image.shape[1], image.shape[0]) + image.tobytes()


def _decode_ppm(content: bytes) -> ImageArray | None:
    """A copy of the pixels of a PPM that ``encode_ppm`` wrote, without Pillow's detours; None for any other file."""
    header = _PPM.match(content)
    if header is None:
        return None
    width, height = int(header[1]), int(header[2])
    if not 0 < width * height <= most_pixels() or len(content) - header.end() != 3 * width * height:
        return None
    return np.frombuffer(content, np.uint8, offset=header.end()).reshape(height, width, 3).copy()


def decode_image(content: bytes, name: str) -> ImageArray:
    """``read_image`` of bytes that are already in memory; ``name`` stands in the error.

    A whole JPEG is decoded by OpenCV where that is installed: the same pixels by the same library, straight to an array, in
    three quarters of the time. What OpenCV would fill with grey or cannot read is Pillow's, which names what is wrong with it.
    """
    if (plain := _decode_ppm(content)) is not None:
        return plain
    with open_image(io.BytesIO(without_texts(content)), name) as image:
        pixels = _decode_jpeg(content, image) if image.format == 'JPEG' and image.mode == 'RGB' else None
        if pixels is None:
            pixels = to_rgb(image)
        if image.format == 'JPEG' and looks_cut(pixels) and is_cut(content):
            raise ImageError(CUT.format(name))
        return pixels


def decode_upright(content: bytes, name: str) -> ImageArray:
    """``read_upright`` of bytes that are already in memory; ``name`` stands in the error."""
    pixels = decode_image(content, name)
    with open_image(io.BytesIO(without_texts(content)), name) as image:
        if image.format == 'TIFF':
            image.load()  # which turns it, and says so
        return _turn(pixels, image)


def turn_upright(image: Image.Image) -> ImageArray:
    """The pixels of a PIL image by ``to_rgb``, turned by its EXIF orientation, as those of its file would be."""
    return _turn(to_rgb(image), image)


def _turn(pixels: ImageArray, image: Image.Image) -> ImageArray:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, struct.error):  # damaged EXIF, without which the pixels are as whole
        turn = None
    return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))


@contextmanager
def open_image(source: BinaryIO, name: str) -> Iterator[Image.Image]:
    """An image whose pixels Pillow has not read yet; an ``ImageError`` names it if that or what is done with it fails."""
    try:
        if Image.MAX_IMAGE_PIXELS is not None and PIXELS_VARIABLE in os.environ:
            # Pillow has a limit of its own, and looks at it first: who asks for more than ours asks for more than that.
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, most_pixels())
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > most_pixels():
                raise _too_large(name, f'{image.width:,} x {image.height:,}', most_pixels())
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f'{name} is no image (of {", ".join(FORMATS)})') from error
    except Image.DecompressionBombError as error:
        pixels, limit = (int(number) for number in re.findall(r'\d+', str(error))[:2])
        raise _too_large(name, f'{pixels:,}', min(limit, most_pixels())) from error
    except FloatPixelsError as error:
        raise ImageError(f'{name} {error}') from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow reports a broken chunk of a PNG as a SyntaxError.
        raise ImageError(f'{name} is truncated or broken: {error}') from error


def _too_large(name: str, pixels: str, most: int) -> ImageError:
    return ImageError(f'{name} has {pixels} pixels, more than the {most:,} that are read; {PIXELS_VARIABLE} sets another limit')


def _decode_jpeg(content: bytes, image: Image.Image) -> ImageArray | None:
    """(h, w, 3) RGB bytes of a JPEG whose last bytes are there; None where OpenCV cannot read it or is not there."""
    if not content.endswith(_END_OF_JPEG) and not content.rstrip(b'\0').endswith(_END_OF_JPEG):
        return None
    try:
        import cv2  # not before it is needed: an exported model is run without it
    except ImportError:
        return None
    knows_rgb = hasattr(cv2, 'IMREAD_COLOR_RGB')
    as_stored = (cv2.IMREAD_COLOR_RGB if knows_rgb else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), as_stored)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    return np.asarray(pixels if knows_rgb else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def to_rgb(image: Image.Image) -> ImageArray:
    """RGB bytes of any Pillow image; 16-bit greys are scaled to 8 bits, where Pillow itself would clip them.

    What is transparent shows white, as a page would, and not what lies under it, which is mostly black.
    """
    if image.mode == 'F':
        raise FloatPixelsError('holds floating-point pixels, whose range is unknown: save it with 8 bits')
    if image.has_transparency_data and not image.mode.startswith('I'):
        image = image.convert('RGBA')
        if np.asarray(image.getchannel('A')).min(initial=_OPAQUE) < _OPAQUE:
            image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    if image.mode == 'I' and np.asarray(image).max(initial=0) <= _OPAQUE:
        return np.repeat(np.clip(np.asarray(image), 0, _OPAQUE).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode.startswith('I'):
        # Rounded: 257 is odd, so that no value lies between two.
        grey = ((np.clip(np.asarray(image), 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert('RGB'))
