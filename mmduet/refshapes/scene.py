"""Scenes of coloured shapes: what is where, before anything is drawn or said.

All coordinates are whole numbers of 1/16 px of the 64 px scene and every draw is an integer, so a scene is the same on
every machine.
"""
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmduet.refshapes.levels import HELD_OUT, LEVELS, Level, Pairs, find_level

SCENE_SIZE = 64
UNITS_PER_PIXEL = 16
SHAPES = ('circle', 'square', 'triangle', 'star', 'diamond', 'cross', 'ring', 'arrow')
COLOURS = {
    'red': (215, 40, 40),
    'green': (40, 170, 60),
    'blue': (50, 80, 220),
    'yellow': (230, 210, 50),
    'purple': (140, 50, 180),
    'orange': (245, 140, 30),
    'gray': (130, 130, 130),
    'pink': (245, 140, 195),
    'brown': (120, 75, 35),
    'cyan': (60, 205, 215),
}
COLOUR_NAMES = tuple(COLOURS)
# Corners x1, y1, x2, y2 in units of 1/16 px.
Extent = tuple[int, int, int, int]
# The middle of a part lies on a side of its object, so far out from the centre, in percent of the way.
PART_AT = 80
SPLITS = {'train': 0, 'val': 1, 'testA': 2, 'testB': 3, 'region': 4, 'region_val': 5, 'heldout': 6, 'absent': 7}


@dataclass(frozen=True, slots=True)
class Part:
    """A small shape on the edge of an object; ``x``, ``y`` (centre) and ``radius`` in units of 1/16 px."""

    shape: str
    colour: str
    x: int
    y: int
    radius: int

    @property
    def extent(self) -> Extent:
        """Corners in units."""
        return (self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One shape; ``x``, ``y`` (centre) and ``radius`` in units of 1/16 px, and what belongs to it.

    Its body is ``stretch`` percent of the radius wide on either side of the centre, and the radius / ``stretch`` percent high.
    """

    shape: str
    colour: str
    size: str
    x: int
    y: int
    radius: int
    stretch: int = 100
    part: Part | None = None

    @property
    def half_sides(self) -> tuple[int, int]:
        """Half the width and half the height of the body, in units."""
        return self.radius * self.stretch // 100, self.radius * 100 // self.stretch

    @property
    def body(self) -> Extent:
        """Corners of the body in units."""
        half_width, half_height = self.half_sides
        return (self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height)

    @property
    def extent(self) -> Extent:
        """Corners of the body with its part, in units."""
        x1, y1, x2, y2 = self.body
        if self.part is None:
            return x1, y1, x2, y2
        left, top, right, bottom = self.part.extent
        return min(x1, left), min(y1, top), max(x2, right), max(y2, bottom)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2 in pixels of the 64 px scene, the part included."""
        x1, y1, x2, y2 = self.extent
        return x1 / UNITS_PER_PIXEL, y1 / UNITS_PER_PIXEL, x2 / UNITS_PER_PIXEL, y2 / UNITS_PER_PIXEL


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects in drawing order and the index of the one to refer to."""

    objects: tuple[SceneObject, ...]
    target: int

    @property
    def referent(self) -> SceneObject:
        """The object to refer to."""
        return self.objects[self.target]

    def boxes(self, size: int = SCENE_SIZE) -> NDArray[np.float32]:
        """(n, 4) float32 xyxy in pixels of a rendering with ``size`` pixels a side."""
        return np.array([item.box for item in self.objects], dtype=np.float32) * np.float32(size / SCENE_SIZE)


def scene_rng(seed: int, split: str, index: int, level: str = 'standard') -> np.random.Generator:
    """Return the generator of one scene, which depends on these values only.

    Raises:
        ValueError: an unknown split or level.
    """
    if split not in SPLITS:
        raise ValueError(f'RefShapes has the splits {", ".join(SPLITS)}, not {split!r}')
    number = find_level(level).number
    return np.random.default_rng((seed, SPLITS[split], index, number) if number else (seed, SPLITS[split], index))


def sample_scene(rng: np.random.Generator, level: Level = LEVELS['standard'], pairs: Pairs = 'all') -> Scene:
    """Draw a scene; the first few other objects often share the target's shape, colour or both.

    Where the objects do not fit, the scene is drawn again.
    """
    fewest, most = level.objects
    while True:
        objects = _place(rng, level, pairs, int(rng.integers(fewest, most + 1)))
        if len(objects) >= fewest:
            break
    order = rng.permutation(len(objects))
    return Scene(tuple(objects[int(index)] for index in order), int(np.flatnonzero(order == 0)[0]))


def _place(rng: np.random.Generator, level: Level, pairs: Pairs, count: int) -> list[SceneObject]:
    """Up to ``count`` objects, the target first; gives up after 60 tries."""
    objects: list[SceneObject] = []
    for _ in range(60):
        if len(objects) == count:
            break
        size = 'big' if rng.integers(2) else 'small'
        low, high = level.radii(size)
        radius = int(rng.integers(low, high + 1))
        margin = radius + UNITS_PER_PIXEL // 2
        x, y = (int(value) for value in rng.integers(margin, SCENE_SIZE * UNITS_PER_PIXEL - margin + 1, 2))
        item = SceneObject('', '', size, x, y, radius, _draw_stretch(rng, level))
        if level.part is not None:
            item = replace(item, part=_draw_part(rng, level.part, item))
        if not fits(item, objects) or any(too_close(item, other, level.clearance) for other in objects):
            continue
        shape, colour = _draw_attributes(rng, level, pairs, objects)
        item = replace(item, shape=shape, colour=colour)
        if item.part is not None:
            item = replace(item, part=_colour_part(rng, level, item.part, colour, objects))
        objects.append(item)
    return objects


def too_close(first: SceneObject, second: SceneObject, clearance: int) -> bool:
    """Whether along no axis the centres are ``clearance`` percent of the sum of the half sides apart."""
    distances = abs(first.x - second.x), abs(first.y - second.y)
    sides = zip(first.half_sides, second.half_sides, strict=True)
    return all(100 * distance < clearance * sum(pair) for distance, pair in zip(distances, sides, strict=True))


def _draw_stretch(rng: np.random.Generator, level: Level) -> int:
    # Nothing is drawn where there is nothing to choose: scenes of the levels without it stay as they are.
    low, high = level.stretch
    return int(rng.integers(low, high + 1)) if low < high else low


def _draw_part(rng: np.random.Generator, sizes: tuple[int, int], item: SceneObject) -> Part:
    """A part on one of the four sides, of no shape and colour yet; ``sizes`` in percent of the object's radius."""
    radius = item.radius * int(rng.integers(sizes[0], sizes[1] + 1)) // 100
    half_width, half_height = item.half_sides
    across, down = ((-1, 0), (1, 0), (0, -1), (0, 1))[rng.integers(4)]
    return Part('', '', item.x + across * half_width * PART_AT // 100, item.y + down * half_height * PART_AT // 100, radius)


def _colour_part(rng: np.random.Generator, level: Level, part: Part, avoided: str, objects: list[SceneObject]) -> Part:
    """Shape and colour of a part, often those of the target's part; drawn again where it has its object's own colour."""
    target = objects[0].part if objects else None
    while True:
        shape, colour = SHAPES[rng.integers(len(SHAPES))], COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
        draw = int(rng.integers(100))
        if target is not None and draw < level.part_shares:
            # A third each: its shape, its colour, both.
            kind = 3 * draw // level.part_shares
            shape, colour = target.shape if kind != 1 else shape, target.colour if kind != 0 else colour
        if colour != avoided:
            return replace(part, shape=shape, colour=colour)


def fits(item: SceneObject, objects: Sequence[SceneObject]) -> bool:
    """Whether an object lies in the scene, its part beside the other parts, and no part's middle on another object's body."""
    margin, end = UNITS_PER_PIXEL // 2, SCENE_SIZE * UNITS_PER_PIXEL
    if min(item.extent) < margin or max(item.extent) > end - margin:
        return False
    return not any(holds(other.body, item.part) or holds(item.body, other.part) or _parts_meet(item.part, other.part)
                   for other in objects)


def holds(extent: Extent, part: Part | None) -> bool:
    """Whether the middle of a part lies in an extent; that of no part does not."""
    return part is not None and extent[0] < part.x < extent[2] and extent[1] < part.y < extent[3]


def _parts_meet(first: Part | None, second: Part | None) -> bool:
    return first is not None and second is not None and overlap(first.extent, second.extent)


def overlap(first: Extent, second: Extent) -> bool:
    """Whether two extents share an area."""
    return (first[0] < second[2] and second[0] < first[2]) and (first[1] < second[3] and second[1] < first[3])


def _draw_attributes(rng: np.random.Generator, level: Level, pairs: Pairs, objects: list[SceneObject]) -> tuple[str, str]:
    """Shape and colour of the next object, drawn again until the pair is allowed."""
    target = objects[0] if objects else None
    if target is None and pairs == 'held_out':
        return HELD_OUT[int(rng.integers(len(HELD_OUT)))]
    while True:
        shape, colour = SHAPES[rng.integers(len(SHAPES))], COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
        if target is not None and len(objects) <= level.sharers:
            shape, colour = _share_with_target(rng, level, target, shape, colour)
        as_target = target is not None and (shape, colour) == (target.shape, target.colour)
        if pairs == 'all' or as_target or (shape, colour) not in HELD_OUT:
            return shape, colour


def _share_with_target(rng: np.random.Generator, level: Level, target: SceneObject, shape: str,
                       colour: str) -> tuple[str, str]:
    draw = int(rng.integers(100))
    if draw < level.share_shape:
        return target.shape, colour
    if draw < level.share_shape + level.share_colour:
        return shape, target.colour
    if draw < level.share_shape + level.share_colour + level.share_both:
        return target.shape, target.colour
    return shape, colour
