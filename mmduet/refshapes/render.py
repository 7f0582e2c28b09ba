"""Drawing a scene; anti-aliased, with noise, and in whole numbers so that every machine draws the same pixels."""
import cv2
import numpy as np
from numpy.typing import NDArray

from mmduet.refshapes.scene import COLOURS, SCENE_SIZE, UNITS_PER_PIXEL, Scene

# Outlines in [-1, 1]; each touches all four sides, so a shape's box is its centre +- radius.
OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    'square': ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    'triangle': ((0, -1), (1, 1), (-1, 1)),
    'diamond': ((0, -1), (1, 0), (0, 1), (-1, 0)),
    'cross': ((-.33, -1), (.33, -1), (.33, -.33), (1, -.33), (1, .33), (.33, .33), (.33, 1), (-.33, 1), (-.33, .33), (-1, .33),
              (-1, -.33), (-.33, -.33)),
    'star': ((0, -1), (.26, -.27), (1, -.24), (.42, .25), (.62, 1), (0, .57), (-.62, 1), (-.42, .25), (-1, -.24), (-.26, -.27)),
    'arrow': ((-1, -.35), (.1, -.35), (.1, -1), (1, 0), (.1, 1), (.1, .35), (-1, .35)),
}
# Fractional bits of the coordinates given to OpenCV.
SHIFT = 4
BACKGROUND = (185, 250)
COLOUR_JITTER = 18
PIXEL_NOISE = 12
# A textured ground: patches along a side, and how far they are lighter or darker.
TEXTURE = ((3, 26), (8, 20), (21, 14))
LEAST_SIZE = 16


def render(rng: np.random.Generator, scene: Scene, size: int = SCENE_SIZE, textured: bool = False) -> NDArray[np.uint8]:
    """Draw a scene as (size, size, 3) uint8 RGB: the ground, objects in order, their parts, noise on every pixel.

    Raises:
        ValueError: ``size`` is less than 16 pixels.
    """
    check_size(size)
    image = np.empty((size, size, 3), dtype=np.uint8)
    image[:] = rng.integers(*BACKGROUND, 3)
    if textured:
        image[:] = _texture(rng, image)
    scale = size / SCENE_SIZE
    for item in scene.objects:
        _draw(image, item.shape, (item.x, item.y), item.half_sides, _draw_colour(rng, item.colour), scale)
    # On top of all bodies, so that none hides another's part.
    for part in (item.part for item in scene.objects if item.part is not None):
        _draw(image, part.shape, (part.x, part.y), (part.radius, part.radius), _draw_colour(rng, part.colour), scale)
    noise = rng.integers(-PIXEL_NOISE, PIXEL_NOISE + 1, image.shape, dtype=np.int16)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def check_size(size: int) -> None:
    """Raise a ``ValueError`` for scenes of too few pixels a side."""
    if size < LEAST_SIZE:
        raise ValueError(f'a scene needs at least {LEAST_SIZE} pixels a side, got {size}')


def _draw_colour(rng: np.random.Generator, name: str) -> list[int]:
    colour = np.array(COLOURS[name]) + rng.integers(-COLOUR_JITTER, COLOUR_JITTER + 1, 3)
    return [int(value) for value in np.clip(colour, 0, 255)]


def _texture(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Patches of several sizes, each lighter or darker than the ground in each channel; whole numbers throughout."""
    ground = image.astype(np.int16)
    for cells, spread in TEXTURE:
        number = np.arange(image.shape[0]) * cells // image.shape[0]
        mosaic = rng.integers(-spread, spread + 1, (cells, cells, 3), dtype=np.int16)
        ground += mosaic[number[:, None], number[None]]
    return np.clip(ground, 0, 255).astype(np.uint8)


def _draw(image: NDArray[np.uint8], shape: str, centre: tuple[int, int], half_sides: tuple[int, int], colour: list[int],
          scale: float) -> None:
    """Draw a shape of half so many units wide and high; OpenCV's pixel centres are whole numbers, ours are at a half."""
    to_cv, half = scale * (1 << SHIFT) / UNITS_PER_PIXEL, 1 << (SHIFT - 1)
    middle = (round(centre[0] * to_cv) - half, round(centre[1] * to_cv) - half)
    across, down = (value * to_cv for value in half_sides)
    if shape in ('circle', 'ring'):
        thickness, inset = -1, 0
        if shape == 'ring':
            thickness = max(2, round(0.38 * min(across, down) / (1 << SHIFT)))
            inset = thickness * half
        if half_sides[0] == half_sides[1]:
            cv2.circle(image, middle, round(across) - inset, colour, thickness, cv2.LINE_AA, SHIFT)
        else:
            axes = round(across) - inset, round(down) - inset
            cv2.ellipse(image, middle, axes, 0, 0, 360, colour, thickness, cv2.LINE_AA, SHIFT)
    else:
        points = [[round(centre[0] * to_cv + across * x) - half, round(centre[1] * to_cv + down * y) - half]
                  for x, y in OUTLINES[shape]]
        cv2.fillPoly(image, [np.array(points, dtype=np.int32)], colour, cv2.LINE_AA, SHIFT)
