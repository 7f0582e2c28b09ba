"""Levels of difficulty, and the combinations of colour and shape that training never shows."""
from dataclasses import dataclass
from typing import Literal

# (shape, colour): one per shape, eight different colours. Every shape and every colour is in training, these pairs are not.
HELD_OUT = (('circle', 'purple'), ('square', 'cyan'), ('triangle', 'orange'), ('star', 'green'), ('diamond', 'red'),
            ('cross', 'blue'), ('ring', 'yellow'), ('arrow', 'pink'))
# all: any pair. known: no object has a held-out pair. held_out: the target has one; others have it only where they share both
# colour and shape with the target.
Pairs = Literal['all', 'known', 'held_out']


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How scenes are drawn.

    Attributes:
        number: of the level; part of the seed of a scene, except that of the standard level.
        objects: fewest and most objects of a scene.
        small, big: least and greatest radius in units of 1/16 px of the 64 px scene.
        clearance: percent of the sum of two radii that their centres keep apart, along at least one axis.
        sharers: this many other objects may be made to share attributes with the target.
        share_shape, share_colour, share_both: how many in a hundred of them do.
        stretch: least and greatest half width of a shape in percent of its radius; its half height is as much less or more.
        part: least and greatest radius of an object's part in percent of its own; None where objects have no parts.
        part_shares: so many in a hundred of the parts share shape, colour or both with the target's part, a third each.
        textured: whether the ground is a mosaic of patches of several sizes, or plain.
    """

    number: int
    objects: tuple[int, int]
    small: tuple[int, int]
    big: tuple[int, int]
    clearance: int
    sharers: int
    share_shape: int
    share_colour: int
    share_both: int
    stretch: tuple[int, int] = (100, 100)
    part: tuple[int, int] | None = None
    part_shares: int = 0
    textured: bool = False

    def radii(self, size: str) -> tuple[int, int]:
        """Least and greatest radius of a size, ``small`` or ``big``; far enough apart that nobody mistakes them."""
        return self.big if size == 'big' else self.small


LEVELS = {
    'easy': Level(number=1, objects=(2, 4), small=(88, 112), big=(160, 208), clearance=110, sharers=1, share_shape=30,
                  share_colour=25, share_both=5),
    'standard': Level(number=0, objects=(3, 6), small=(80, 112), big=(144, 200), clearance=90, sharers=2, share_shape=30,
                      share_colour=25, share_both=15),
    'hard': Level(number=2, objects=(6, 9), small=(64, 88), big=(116, 152), clearance=80, sharers=5, share_shape=30,
                  share_colour=25, share_both=25),
    # Sizes, shapes of boxes and overlaps are those of RefCOCO's targets (docs/refshapes.md).
    'parts': Level(number=3, objects=(2, 5), small=(120, 180), big=(224, 344), clearance=30, sharers=4, share_shape=20,
                   share_colour=20, share_both=50, stretch=(66, 132), part=(40, 55), part_shares=60, textured=True),
}


def find_level(name: str) -> Level:
    """The level of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in LEVELS:
        raise ValueError(f'RefShapes has the levels {", ".join(LEVELS)}, not {name!r}')
    return LEVELS[name]
