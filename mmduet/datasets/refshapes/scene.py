"""Scenes of coloured shapes: what is where, before anything is drawn or said.

All coordinates are whole numbers of 1/16 px of the 64 px scene and every draw is an integer, so a scene is the same on
every machine.
"""
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
# Radius in units: 5 to 7 px and 9 to 12.5 px, far enough apart that nobody mistakes one for the other.
RADII = {'small': (80, 112), 'big': (144, 200)}
SPLITS = {'train': 0, 'val': 1, 'testA': 2, 'testB': 3, 'region': 4, 'region_val': 5}
# Fraction of the sum of two radii that their centres keep apart, along at least one axis.
CLEARANCE = 0.9
# Of the first two other objects: these parts share the target's shape, its colour, both.
SHARE_SHAPE, SHARE_COLOUR, SHARE_BOTH = 30, 25, 15


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


def scene_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the generator of one scene, which depends on these three values only.

    Raises:
        ValueError: an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f'RefShapes has the splits {", ".join(SPLITS)}, not {split!r}')
    return np.random.default_rng((seed, SPLITS[split], index))


def sample_scene(rng: np.random.Generator, min_objects: int = 3, max_objects: int = 6) -> Scene:
    """Draw a scene; the first two other objects often share the target's shape, colour or both.

    Where the objects do not fit, the scene is drawn again.

    Raises:
        ValueError: fewer than 2 objects are asked for, or the range is empty.
    """
    if not 2 <= min_objects <= max_objects:
        raise ValueError(f'a scene needs 2 <= min_objects <= max_objects, got {min_objects} and {max_objects}')
    while True:
        count = int(rng.integers(min_objects, max_objects + 1))
        objects = _place(rng, count)
        if len(objects) >= min_objects:
            break
    order = rng.permutation(len(objects))
    return Scene(tuple(objects[int(index)] for index in order), int(np.flatnonzero(order == 0)[0]))


def _place(rng: np.random.Generator, count: int) -> list[SceneObject]:
    """Up to ``count`` objects, the target first; gives up after 60 tries."""
    objects: list[SceneObject] = []
    for _ in range(60):
        if len(objects) == count:
            break
        size = 'big' if rng.integers(2) else 'small'
        low, high = RADII[size]
        radius = int(rng.integers(low, high + 1))
        margin = radius + UNITS_PER_PIXEL // 2
        x, y = (int(value) for value in rng.integers(margin, SCENE_SIZE * UNITS_PER_PIXEL - margin + 1, 2))
        if any(max(abs(x - other.x), abs(y - other.y)) < CLEARANCE * (radius + other.radius) for other in objects):
            continue
        shape, colour = SHAPES[rng.integers(len(SHAPES))], COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
        if 0 < len(objects) < 3:
            shape, colour = _share_with_target(rng, objects[0], shape, colour)
        objects.append(SceneObject(shape, colour, size, x, y, radius))
    return objects


def _share_with_target(rng: np.random.Generator, target: SceneObject, shape: str, colour: str) -> tuple[str, str]:
    draw = int(rng.integers(100))
    if draw < SHARE_SHAPE:
        return target.shape, colour
    if draw < SHARE_SHAPE + SHARE_COLOUR:
        return shape, target.colour
    if draw < SHARE_SHAPE + SHARE_COLOUR + SHARE_BOTH:
        return target.shape, target.colour
    return shape, colour
