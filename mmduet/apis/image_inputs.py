"""What can be taken for an image, and its pixels; everything else is refused by name.

Files and PIL images are turned as a viewer shows them, by their EXIF orientation; arrays and tensors, which have none, are
taken as they lie there.
"""
import glob
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from mmduet.io.errors import ImageError
from mmduet.io.files import is_hidden
from mmduet.io.images import FloatPixelsError, ImageArray, decode_upright, read_upright, turn_upright
from mmduet.io.text import counted, half_character, is_blank

if TYPE_CHECKING:
    from torch import Tensor

ChannelOrder: TypeAlias = Literal['rgb', 'bgr']
# One of every image, several of every image, or a list for each.
Expressions: TypeAlias = str | Sequence[str] | Sequence[Sequence[str]]
SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif')
TAKEN = ('a path, a URL (http, https), a PIL image, bytes, an array (h, w, 3) of uint8, a tensor (3, h, w), a folder, a glob '
         "pattern, 'example' for the image that ships, or a list of these")
# The name of that image, where there is no file of this name: a scene of RefShapes, of which the toy knows "the leftmost ring".
EXAMPLE, _EXAMPLE_FILE = 'example', Path(__file__).with_name('example.png')
MOST_BYTES, SECONDS = 64 << 20, 30.0
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class ImageInput:
    """One image: what to call it, and how to get its (h, w, 3) RGB uint8 pixels, which are read when they are needed."""

    name: str
    read: Callable[[], ImageArray]


def list_images(inputs: Any, channel_order: ChannelOrder | None = None) -> list[ImageInput]:
    """One ``ImageInput`` for each image, those of a folder or of a glob pattern in the order of their names.

    Args:
        inputs: see ``TAKEN``.
        channel_order: of arrays and tensors; an array's must be said, a tensor's is RGB where it is not.

    Raises:
        TypeError, ValueError: something that cannot be an image; says what it is, and what would be taken.
        ImageError: a folder or a pattern without images.
    """
    if channel_order not in (None, 'rgb', 'bgr'):
        raise ValueError(f"channel_order must be 'rgb' or 'bgr', got {channel_order!r}")
    if not isinstance(inputs, list | tuple):
        return _list_one(inputs, 0, channel_order)
    found = [image for number, item in enumerate(inputs) for image in _list_one(item, number, channel_order)]
    if not found:
        raise ValueError(f'no images: the list is empty; expected {TAKEN}')
    return found


def _list_one(item: Any, number: int, order: ChannelOrder | None) -> list[ImageInput]:
    if isinstance(item, str | Path):
        return _list_paths(str(item))
    if isinstance(item, bytes | bytearray | memoryview):
        name = f'bytes {number}'
        return [ImageInput(name, partial(decode_upright, bytes(item), name))]
    if isinstance(item, Image.Image):
        name = f'PIL image {number}'
        return [ImageInput(name, partial(_from_pil, item, name))]
    if isinstance(item, np.ndarray):
        name, pixels = f'array {number}', _from_array(item, order)
    elif _is_tensor(item):
        name, pixels = f'tensor {number}', _from_tensor(item, order)
    else:
        hint = ' (of an open file take what its read() gives)' if hasattr(item, 'read') else ''
        raise TypeError(f'cannot take a {type(item).__name__} for an image: expected {TAKEN}{hint}')
    return [ImageInput(name, partial(_as_it_is, pixels))]


def _as_it_is(pixels: ImageArray) -> ImageArray:
    """What an image in memory is read by; a function with a name can be pickled."""
    return pixels


def _is_tensor(item: Any) -> bool:
    """Whether it is a tensor, without importing torch for the answer: an exported model is run without it."""
    torch = sys.modules.get('torch')
    return torch is not None and isinstance(item, torch.Tensor)


def _list_paths(text: str) -> list[ImageInput]:
    if not text or '\0' in text:
        raise ValueError(f'{text!r} is no path of an image')
    if '://' in text or text.startswith('data:'):
        try:
            scheme = urlsplit(text).scheme
        except ValueError as error:
            raise ValueError(f'{text[:80]} is no URL: {error}') from error
        if scheme not in ('http', 'https'):
            raise ValueError(f'{text[:80]} is a URL of the scheme {scheme!r}: only http and https are fetched')
        return [ImageInput(text, partial(fetch_image, text))]
    path = Path(text)
    if text == EXAMPLE and not path.exists():
        return [ImageInput(EXAMPLE, partial(read_upright, _EXAMPLE_FILE))]
    if path.is_dir():
        found = sorted(file for file in path.iterdir()
                       if file.suffix.lower() in SUFFIXES and not is_hidden(file.name) and file.is_file())
        if not found:
            deeper = any(map(Path.is_dir, path.iterdir()))
            inner = f'; the pattern {path}/**/* takes those of the folders in it' if deeper else ''
            raise ImageError(f'the folder {path} has no images ({", ".join(SUFFIXES)}){inner}')
    elif not path.exists() and glob.has_magic(text):
        try:
            matches = glob.glob(text, recursive=True)  # noqa: PTH207 (absolute patterns too)
        except RecursionError as error:
            raise ValueError(f'{text[:80]} is a pattern of too many folders') from error
        found = sorted(file for file in map(Path, matches) if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise ImageError(f'the pattern {text} matches no images ({", ".join(SUFFIXES)})')
    else:
        found = [path]
    return [ImageInput(str(file), partial(read_upright, file)) for file in found]


def fetch_image(url: str, most: int = MOST_BYTES, seconds: float = SECONDS) -> ImageArray:
    """The pixels of an image on the web.

    Args:
        url: http or https, also after a redirection.
        most: bytes; of a larger answer no more is read.
        seconds: for the whole of it.

    Raises:
        ImageError: it cannot be fetched, is too large or takes too long, or is no image.
    """
    end = time.monotonic() + seconds
    request = urllib.request.Request(url, headers={'User-Agent': 'mmduet'})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            if urlsplit(answer.geturl()).scheme not in ('http', 'https'):
                raise ImageError(f'{url} leads to {answer.geturl()[:80]}, which is neither http nor https')
            content = bytearray()
            while block := answer.read(_BLOCK):
                content += block
                if len(content) > most:
                    raise ImageError(f'{url} has more than the {most:,} bytes that are read')
                if time.monotonic() > end:
                    raise ImageError(f'{url} was not here after {seconds:g} seconds')
    except urllib.error.HTTPError as error:
        raise ImageError(f'{url} cannot be fetched: {error.code} {error.reason}') from error
    except (OSError, ValueError, HTTPException) as error:  # the last where the answer is no HTTP
        if isinstance(error, ImageError):
            raise
        raise ImageError(f'{url} cannot be fetched: {getattr(error, "reason", error)}') from error
    if not content:
        raise ImageError(f'{url} is empty (zero bytes)')
    return decode_upright(bytes(content), url)


def _from_pil(image: Image.Image, name: str) -> ImageArray:
    try:
        return turn_upright(image)
    except FloatPixelsError as error:
        raise ImageError(f'{name} {error}') from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f'{name} is truncated or broken: {error}') from error


def _from_array(array: np.ndarray[Any, Any], order: ChannelOrder | None) -> ImageArray:
    if array.ndim == 4:
        raise ValueError(f'an array must be one image (h, w, 3), got {array.shape}: give the images of a batch as list(array)')
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f'an array must be (h, w, 3) of uint8, got {array.shape} of {array.dtype}')
    if order is None:
        raise ValueError("an array does not say what its channels are: give channel_order='rgb' (Pillow, torchvision) or "
                         "'bgr' (cv2.imread, MMCV)")
    # A copy: the array may be changed before its answer is drawn.
    return np.array(array[..., ::-1] if order == 'bgr' else array, order='C')


def _from_tensor(tensor: 'Tensor', order: ChannelOrder | None) -> ImageArray:
    if tensor.ndim == 4:
        raise ValueError(f'a tensor must be one image (3, h, w), got {tuple(tensor.shape)}: give the images of a batch as '
                         'list(tensor)')
    if tensor.ndim != 3 or tensor.shape[0] != 3 or not tensor.numel():
        raise ValueError(f'a tensor must be (3, h, w), got {tuple(tensor.shape)}')
    values = tensor.detach().cpu()
    if values.is_floating_point():
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError('a tensor of floats must hold values in [0, 1], not normalised ones: the model normalises them')
        values = (values.float() * 255).round().byte()
    elif str(values.dtype) != 'torch.uint8':
        raise ValueError(f'a tensor must be of uint8, or of floats in [0, 1], got {values.dtype}')
    return _from_array(values.permute(1, 2, 0).numpy(), order or 'rgb')


def check_batch_size(size: Any) -> int:
    """A batch size, a whole number of at least 1; ``TypeError`` or ``ValueError`` says what was given."""
    if isinstance(size, bool) or not isinstance(size, SupportsIndex):
        raise TypeError(f'batch_size must be a whole number, got {size!r}')
    if index(size) < 1:
        raise ValueError(f'batch_size must be at least 1, got {size}')
    return index(size)


def read_images(images: Sequence[ImageInput], rows: Sequence[Sequence[str]],
                broken: list[ImageError] | None = None) -> Iterator[tuple[ImageInput, ImageArray, Sequence[str]]]:
    """Images with their pixels and the expressions about them; an image is read when its turn comes.

    Args:
        images: N.
        rows: N, the expressions of each.
        broken: takes the errors of images that cannot be read, which are left out; None to raise the first.

    Yields:
        An image, which raises an ``ImageError`` when it is read again and is gone or has changed; its pixels, its expressions.
    """
    for image, row in zip(images, rows, strict=True):
        try:
            pixels = image.read()
        except ImageError as error:
            if broken is None:
                raise
            broken.append(error)
        else:
            yield replace(image, read=partial(_read_unchanged, image, _checksum(pixels))), pixels, row


def _checksum(pixels: ImageArray) -> tuple[int, tuple[int, ...]]:
    return zlib.crc32(np.ascontiguousarray(pixels).data), pixels.shape


def _read_unchanged(image: ImageInput, seen: tuple[int, tuple[int, ...]]) -> ImageArray:
    """The pixels of an image that was answered about; a box is not drawn on another picture of the same name."""
    pixels = image.read()
    if _checksum(pixels) != seen:
        raise ImageError(f'{image.name} has changed since its answer: ask about it again')
    return pixels


def pair(images: Sequence[ImageInput], expressions: Expressions) -> list[list[str]]:
    """The expressions of each image, cleaned of surplus blanks.

    Args:
        images: N.
        expressions: one, or several, of every image; or N lists, one for each image.

    Raises:
        TypeError, ValueError: no expression, a blank one, something else than text, or lists that are not N.
    """
    if isinstance(expressions, str):
        rows: list[Any] = [[expressions]] * len(images)
    elif not isinstance(expressions, list | tuple):
        raise TypeError(f'expected an expression or a list of them, got a {type(expressions).__name__}')
    elif any(isinstance(item, list | tuple) for item in expressions):
        if len(expressions) != len(images):
            raise ValueError(f'{counted(len(expressions), "list")} of expressions for {counted(len(images), "image")}: '
                             'give one for each')
        rows = [[item] if isinstance(item, str) else list(item) for item in expressions]
    else:
        rows = [list(expressions)] * len(images)
    for row in rows:
        if strange := [text for text in row if not isinstance(text, str)]:
            raise TypeError(f'expected expressions, got a {type(strange[0]).__name__}')
        if not row or any(map(is_blank, row)):
            raise ValueError(f'expected expressions, got {row}')
        if halves := [text for text in row if half_character(text)]:
            raise ValueError(f'expected expressions of whole characters, got {halves[0]!a}')
    return [[' '.join(text.split()) for text in row] for row in rows]
