"""Scenes of coloured shapes: what is where, before anything is drawn or said.

All coordinates are whole numbers of 1/16 px of the 64 px scene and every draw is an integer, so a scene is the same on
every machine.
"""
from dataclasses import dataclass

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
SPLITS = {'train': 0, 'val': 1, 'testA': 2, 'testB': 3, 'region': 4, 'region_val': 5, 'heldout': 6, 'absent': 7}


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One shape; ``x``, ``y`` (centre) and ``radius`` in units of 1/16 px, its box is centre +- radius."""

    shape: str
    colour: str
    size: str
    x: int
    y: int
    radius: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2 in pixels of the 64 px scene."""
        return ((self.x - self.radius) / UNITS_PER_PIXEL, (self.y - self.radius) / UNITS_PER_PIXEL,
                (self.x + self.radius) / UNITS_PER_PIXEL, (self.y + self.radius) / UNITS_PER_PIXEL)


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
        if any(100 * max(abs(x - other.x), abs(y - other.y)) < level.clearance * (radius + other.radius) for other in objects):
            continue
        shape, colour = _draw_attributes(rng, level, pairs, objects)
        objects.append(SceneObject(shape, colour, size, x, y, radius))
    return objects


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
