"""PNG files whose bytes depend on their pixels only.

A compressor's output changes with its version; here the pixels are stored as they are. Files are a third larger than
compressed ones, as noise hardly compresses, and read faster.
"""
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Deflate, window of 32 KB, no dictionary, fastest level.
ZLIB_HEADER = b'\x78\x01'
LONGEST_BLOCK = 65535


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return (h, w, 3) uint8 RGB pixels as a PNG file with stored deflate blocks.

    Raises:
        ValueError: another shape or type, or no pixel at all.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'an image must be (h, w, 3) uint8, got {image.shape} {image.dtype}')
    height, width = image.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each row begins with its filter, 0 for none
    rows[:, 1:] = image.reshape(height, 3 * width)
    raw = rows.tobytes()
    starts = range(0, len(raw), LONGEST_BLOCK)
    blocks = b''.join(_stored(raw[start:start + LONGEST_BLOCK], start == starts[-1]) for start in starts)
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = ZLIB_HEADER + blocks + struct.pack('>I', zlib.adler32(raw))
    return SIGNATURE + _chunk(b'IHDR', header) + _chunk(b'IDAT', data) + _chunk(b'IEND', b'')


def _stored(data: bytes, last: bool) -> bytes:
    """A deflate block without compression: RFC 1951, 3.2.4."""
    return struct.pack('<BHH', last, len(data), len(data) ^ 0xffff) + data


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
