"""Drawing a scene; anti-aliased, with noise, and in whole numbers so that every machine draws the same pixels."""
import cv2
import numpy as np
from numpy.typing import NDArray

from mmduet.refshapes.scene import COLOURS, SCENE_SIZE, UNITS_PER_PIXEL, Scene, SceneObject

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


def render(rng: np.random.Generator, scene: Scene, size: int = SCENE_SIZE) -> NDArray[np.uint8]:
    """Draw a scene as (size, size, 3) uint8 RGB: plain background, objects in order, noise on every pixel.

    Raises:
        ValueError: ``size`` is less than 16 pixels.
    """
    if size < 16:
        raise ValueError(f'a scene needs at least 16 pixels a side, got {size}')
    image = np.empty((size, size, 3), dtype=np.uint8)
    image[:] = rng.integers(*BACKGROUND, 3)
    for item in scene.objects:
        colour = np.array(COLOURS[item.colour]) + rng.integers(-COLOUR_JITTER, COLOUR_JITTER + 1, 3)
        _draw(image, item, [int(value) for value in np.clip(colour, 0, 255)], size / SCENE_SIZE)
    noise = rng.integers(-PIXEL_NOISE, PIXEL_NOISE + 1, image.shape, dtype=np.int16)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _draw(image: NDArray[np.uint8], item: SceneObject, colour: list[int], scale: float) -> None:
    # OpenCV's pixel centres are whole numbers, ours are at a half.
    to_cv = scale * (1 << SHIFT) / UNITS_PER_PIXEL
    half = 1 << (SHIFT - 1)
    centre = (round(item.x * to_cv) - half, round(item.y * to_cv) - half)
    radius = item.radius * to_cv
    if item.shape == 'circle':
        cv2.circle(image, centre, round(radius), colour, -1, cv2.LINE_AA, SHIFT)
    elif item.shape == 'ring':
        thickness = max(2, round(0.38 * radius / (1 << SHIFT)))
        cv2.circle(image, centre, round(radius) - thickness * half, colour, thickness, cv2.LINE_AA, SHIFT)
    else:
        points = [[round(item.x * to_cv + radius * x) - half, round(item.y * to_cv + radius * y) - half]
                  for x, y in OUTLINES[item.shape]]
        cv2.fillPoly(image, [np.array(points, dtype=np.int32)], colour, cv2.LINE_AA, SHIFT)
