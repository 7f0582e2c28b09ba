"""Whether all of a JPEG is there: one that was cut and closed again decodes without a word, its rest grey or coarse.

Downloaders and salvage tools put the end mark behind what they have. How it is told: more bits before the end mark change a
picture that lacks some, and no whole one, whose decoder has finished before.
"""
import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A mark that ends the bits of a scan: 0xFF and neither a stuffed zero nor a restart nor a filling 0xFF.
_MARK = re.compile(rb'\xff+([^\x00\xd0-\xd7\xff])', re.DOTALL)
_RESTART = re.compile(rb'\xff[\xd0-\xd7]')
_END, _SCAN, _CLOSED = 0xD9, 0xDA, b'\xff\xd9'
_FRAMES, _PROGRESSIVE = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}, frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MORE = 4096
_GREY = 128


def is_cut(content: bytes) -> bool:
    """Whether a JPEG lacks bits that its picture needs, or a whole colour; False for what is no JPEG, which others say.

    It is decoded twice, a progressive one in full, another in an eighth of its size.
    """
    found = _find_end(content)
    if found is None:
        return False
    end, progressive, absent = found
    if absent:
        return True
    bits = np.random.default_rng(0).integers(0, 255, _MORE, dtype=np.uint8).tobytes()  # no 0xFF, which begins a mark
    # After as many bits as fit, a decoder may wait for the next restart.
    restarts = _RESTART.findall(content, 0, end)
    more = bits + bytes([0xFF, 0xD0 + (restarts[-1][1] - 0xCF) % 8 if restarts else 0xD0]) + bits
    try:
        return not np.array_equal(_decode(content, progressive),
                                  _decode(content[:end] + more + content[end:], progressive))
    except (OSError, SyntaxError, ValueError):
        return False


def looks_cut(pixels: NDArray[np.uint8]) -> bool:
    """Whether (h, w, 3) pixels end in the exact grey that stands for blocks without bits: reason enough for ``is_cut``."""
    return bool((pixels[-4:, -4:] == _GREY).all())


def _decode(content: bytes, full: bool) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content), formats=('JPEG', )) as image:
        if not full:
            image.draft(None, (1, 1))
        return np.asarray(image)


def _find_end(content: bytes) -> tuple[int, bool, bool] | None:
    """Where the end mark of the first picture stands, whether it is progressive, and whether one of its colours has no scan."""
    place, colours, seen, progressive = 2, set[int](), set[int](), False
    while (match := _MARK.match(content, place)) is not None:
        mark, place = match[1][0], match.end()
        if mark == _END:
            return match.start(), progressive, not colours <= seen
        size = int.from_bytes(content[place:place + 2], 'big')
        if mark in _FRAMES:
            colours = set(content[place + 8:place + size:3])
            progressive = mark in _PROGRESSIVE
        place += size
        if mark == _SCAN:
            seen |= set(content[match.end() + 3:match.end() + 3 + 2 * content[match.end() + 2]:2])
            after = _MARK.search(content, place)
            place = after.start() if after else len(content)
    # A head between two scans breaks off, or the end mark is missing.
    return (len(content), progressive, True) if seen and content.endswith(_CLOSED) else None
