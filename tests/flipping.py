"""Files that differ in one bit from what was written."""
import random
from collections.abc import Iterator


def flip_bits(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of a file's content with one bit changed in each, anywhere."""
    draw = random.Random(seed)
    for _ in range(count):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        yield bytes(flipped)
