"""Image files, and what stands where one is expected."""
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmduet.apis.image_inputs import list_images
from mmduet.datasets.preparation import open_images
from mmduet.datasets.readers.source_data import NO_SIZE
from mmduet.evaluation.report.gallery import Album
from mmduet.io.images import decode_image, read_image, read_image_size
from tests.hostile.case import COMMAND, Case, Harmless, content, link, no_files


def _decode(path: Path) -> Any:
    return decode_image(path.read_bytes(), str(path))


def _first(path: Path) -> Any:
    return list_images(str(path))[0].read()


FULL: dict[str, Callable[[Any], Any]] = {'file': read_image, 'bytes': _decode, 'input': _first}
BOTH = {**FULL, 'size': read_image_size}
FILES = {key: door for key, door in BOTH.items() if key != 'bytes'}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, body: bytes | None = None, depth: int = 1, color: int = 0) -> bytes:
    """A PNG of one grey, whose header may say anything."""
    if body is None:
        row, packer = bytes((min(width, 10**5) * depth + 7) // 8 + 1), zlib.compressobj(9)
        body = b''.join(packer.compress(row) for _ in range(min(height, 30_000))) + packer.flush()
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, color, 0, 0,
        0)) + b''.join(extra)
            + chunk(b'IDAT', body) + chunk(b'IEND', b''))


def encoded(kind: str, mode: str = 'RGB', size: tuple[int, int] = (24, 16), **options: Any) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def bmp(width: int, height: int) -> bytes:
    return b'BM' + struct.pack('<IHHIIiiHHIIiiII', 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    return b'GIF89a' + struct.pack('<HHBBB', width, height, 0, 0, 0) + b',' + struct.pack('<HHHHB', 0, 0, width, height,
        0) + b'\x02\x00;'


def tiff(width: int, height: int) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
        (277, 3, 1, 1),
               (278, 4, 1, height), (279, 4, 1, 0xFFFFFFFF)]
    return b'II*\0' + struct.pack('<IH', 8, len(entries)) + b''.join(struct.pack('<HHII', *each) for each in entries) + bytes(4)


LARGE = r'pixels, more than the [\d,]+ that are read; MMDUET_MAX_IMAGE_PIXELS'
BOMBS = {
    'a PNG of 30,000 x 30,000': png(30_000, 30_000), 'a PNG just under the limit of Pillow': png(13_300, 13_300),
    'a PNG just over our limit': png(8_193, 8_192, body=b''), 'a PNG of 2**31 - 1 columns': png(2**31 - 1, 8, body=b''),
    'a BMP of 60,000 x 60,000': bmp(60_000, 60_000), 'a GIF of 65,535 x 65,535': gif(65_535, 65_535),
    'a TIFF of 100,000 x 100,000': tiff(100_000, 100_000),
    'a PPM of 99,999 x 99,999': b'P6 99999 99999 255\n', 'a JPEG of 65,500 x 65,500': encoded('JPEG').replace(
        struct.pack('>HH', 16, 24), struct.pack('>HH', 65_500, 65_500), 1)}
BROKEN = r'is truncated or broken'
NONE = r'is no image \(of JPEG, PNG'
POSTSCRIPT = ('%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(%pipe%' + COMMAND
              + ') (w) file\nshowpage\n%%EOF\n')
OTHERS: dict[str, tuple[str, bytes | str]] = {
    'PostScript': ('a.eps', POSTSCRIPT), 'PostScript by the name of a PNG': ('a.png', POSTSCRIPT),
    'SVG': ('a.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    'SVG by the name of a PNG': ('a.png', '<?xml version="1.0"?><svg xmlns:xlink="x"><image xlink:href="/etc/passwd"/></svg>'),
    'HEIC': ('a.heic', b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(64)),
    'AVIF': ('a.avif', b'\0\0\0\x18ftypavif' + bytes(64)),
    'PDF': ('a.pdf', '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF'), 'a JPEG of 2000': ('a.jp2', encoded('JPEG2000')),
    'an icon': ('a.ico', encoded('ICO')), 'a picture of Photoshop': ('a.psd', b'8BPS\0\1' + bytes(60)),
    'a palm of TGA': ('a.tga', encoded('TGA')), 'a page of the web': ('a.jpg', '<!DOCTYPE html><html>404</html>'),
    'a pickle': ('a.png', b'cos\nsystem\n(S"true"\ntR.'), 'a program': ('a.jpg', b'\x7fELF' + bytes(60)),
    'a pointer of Git LFS': ('a.jpg', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'),
    'a description of an image in FITS': ('a.fits', encoded('PNG')[:0] + b'SIMPLE  =                    T'.ljust(2880)),
    'a movie of FLI': ('a.fli', struct.pack('<IHHHH', 200, 0xAF11, 1, 8, 8) + bytes(120)),
    'a file of WMF': ('a.wmf', b'\xd7\xcd\xc6\x9a\0\0' + bytes(60)), 'zeros': ('a.png', bytes(1000))}
# In all but the size, which the header still says.
CUT = {'a PNG': encoded('PNG')[:200], 'a JPEG': encoded('JPEG')[:-60], 'a WebP': encoded('WEBP')[:-40],
    'a BMP': encoded('BMP')[:300],
       'a GIF': encoded('GIF')[:820], 'a TIFF': encoded('TIFF', compression='tiff_lzw')[:-300]}
ZIPPED = chunk(b'zTXt', b'k\0\0' + zlib.compress(bytes(2**27), 9))


def _names() -> list[Case]:
    def made(name: str) -> Callable[[Path], Path]:
        return content(name, encoded('PNG'))
    odd = {'a line break': 'a\nb.png', 'blanks': ' a b .png', 'right-to-left marks': 'a\u202egnp.png',
        'half of a pair of surrogates':
           os.fsdecode(b'a\xff.png'), 'quotes and markup': '"><script>alert(1).png', 'a pattern': 'a[b]*?.png',
           'a reserved name': 'CON.png',
           'an option': '--out.png', 'a variable': '$(reboot).png', 'a tilde': '~root.png', 'a full name': 'a' * 250 + '.png'}
    return [Case(f'image name: {name}', made(text), {'file': lambda path: read_image(path).shape,
        'input': lambda path: _first(path).shape},
                 Harmless((16, 24, 3))) for name, text in odd.items()]


def _problem(path: Path) -> Any:
    """As preparation and the check of a data root meet it: the sentence is returned."""
    return open_images([(path, NO_SIZE)], True, 1)


def _in_report(path: Path) -> Any:
    album = Album(path.parent)
    return album.find(path.name), len(album.problems)


CASES = [
    *(Case(f'bomb: {name}', content('a.png', data), BOTH, rf'a\.png has [\d,]+( x [\d,]+)? {LARGE}')
      for name, data in BOMBS.items()),
    *(Case(f'no image: {name}', content(file, data), BOTH, rf'a\.\w+ {NONE}') for name, (file, data) in OTHERS.items()),
    *(Case(f'cut image: {name}', content('a.png', data), FULL, rf'a\.png ({BROKEN}|{NONE})') for name, data in CUT.items()),
    Case('a PNG of another checksum', content('a.png', encoded('PNG').replace(b'IDAT', b'IDAT', 1)[:-20] + bytes(20)), FULL,
    rf'a\.png {BROKEN}'),
    Case('a PNG of 128 MB of text', content('a.png', png(8, 8, ZIPPED)), {'file': lambda path: read_image(path).shape},
         Harmless((8, 8, 3))),  # its texts are left out unread
    Case('a PNG without pixels', content('a.png', png(0, 8, body=b'')), BOTH, r'a\.png'),
    Case('a PNG of a broken chunk', content('a.png', b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 2**31 - 1) + b'IHDR'), BOTH,
    r'a\.png'),
    Case('a PNG whose pixels are no zlib', content('a.png', png(8, 8, body=b'no zlib')), FULL, rf'a\.png {BROKEN}'),
    Case('a TIFF of floats', content('a.tif', encoded('TIFF', 'F')), FULL, r'a\.tif .*floating-point'),
    Case('a TIFF whose directory leads to itself', content('a.tif', b'II*\0\x08\0\0\0\0\0\x08\0\0\0'), BOTH, r'a\.tif'),
    Case('an animation of a thousand', content('a.gif', encoded('GIF', size=(4, 4), save_all=True, append_images=[
        Image.new('RGB', (4, 4), (k % 256, k // 256, 0)) for k in range(1000)])),
        {'file': lambda path: read_image(path).shape}, Harmless((4, 4, 3))),
    Case('an empty file', content('a.png', b''), FILES, r'a\.png is empty \(zero bytes\)'),
    Case('a file of 4 TB without content', lambda folder: _sparse(folder / 'a.png', 2**42), FILES,
    r'a\.png has [\d,]+ bytes, more than'),
    Case('a file of 200 MB of zeros', lambda folder: _sparse(folder / 'a.png', 200 * 2**20),
    {'file': read_image, 'size': read_image_size},
         rf'a\.png {NONE}'),
    *(Case(f'image: {name}', maker, {'file': read_image, 'size': read_image_size}, r'\.png (cannot be read|is no regular file)')
      for name, maker in no_files('a.png', '.png').items()),
    Case('image: a terminal', link('a.png', '/dev/tty'), {'file': read_image}, r'a\.png'),
    Case('image: a name with a zero byte', lambda folder: folder / 'a\0b.png', {'file': read_image, 'size': read_image_size},
    r'cannot be read'),
    *_names(),
    Case('report: an endless device', link('a.png', '/dev/zero'), {'album': _in_report}, Harmless((None, 1))),
    Case('report: a bomb', content('a.png', BOMBS['a PNG of 30,000 x 30,000']), {'album': _in_report}, Harmless((None, 1))),
    Case('preparation: PostScript', content('a.jpg', POSTSCRIPT), {'check': lambda path: 'is no image' in _problem(path)[0]},
    Harmless(True)),
    Case('preparation: a bomb', content('a.jpg', BOMBS['a PNG of 30,000 x 30,000']),
    {'check': lambda path: 'more than' in _problem(path)[0]},
         Harmless(True)),
]


def _sparse(path: Path, size: int) -> Path:
    with path.open('wb') as file:
        file.truncate(size)
    return path
