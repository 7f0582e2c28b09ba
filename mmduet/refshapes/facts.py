"""What a level is like, measured on its scenes."""
from itertools import combinations

import numpy as np

from mmduet.refshapes.generator import Example, make_example
from mmduet.refshapes.scene import SCENE_SIZE, UNITS_PER_PIXEL, SceneObject


def measure_level(level: str, split: str = 'val', scenes: int = 1000, seed: int = 0) -> dict[str, float]:
    """Measure the first scenes of a split.

    Returns:
        By name: objects of a scene; other objects with the target's shape, colour and both; side of a box in pixels of the
        64 px scene; percent of the scene that boxes cover; smallest gap between two boxes in pixels, negative where
        they overlap; percent of scenes where neither shape nor colour alone names the target, where not even both do; words of
        an expression; percent right by taking any of the true boxes.

    Raises:
        ValueError: an unknown level or split, or no scenes.
    """
    if scenes < 1:
        raise ValueError(f'facts need at least 1 scene, got {scenes}')
    rows = [_facts(make_example(seed, split, index, level=level)) for index in range(scenes)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _facts(example: Example) -> dict[str, float]:
    objects, target = example.scene.objects, example.scene.referent
    others = [item for item in objects if item is not target]
    shape = sum(item.shape == target.shape for item in others)
    colour = sum(item.colour == target.colour for item in others)
    both = sum((item.shape, item.colour) == (target.shape, target.colour) for item in others)
    boxes = example.scene.boxes()
    areas = [float(area) for area in np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)]
    return {
        'objects': len(objects),
        'others of the same shape': shape,
        'others of the same colour': colour,
        'others of both': both,
        'box side, px': float(np.mean(np.sqrt(areas))),
        'covered by boxes, %': 100 * sum(areas) / SCENE_SIZE**2,
        'smallest gap between boxes, px': min(_gap(a, b) for a, b in combinations(objects, 2)),
        'neither shape nor colour is enough, %': 100 * (shape > 0 and colour > 0),
        'not even both are enough, %': 100 * (both > 0),
        'words': len(example.expressions[0].tokens),
        'any true box, % right': 100 / len(objects),
    }


def _gap(first: SceneObject, second: SceneObject) -> float:
    """Pixels between two boxes along the axis that parts them most."""
    left, top, right, bottom = first.extent
    x1, y1, x2, y2 = second.extent
    return max(x1 - right, left - x2, y1 - bottom, top - y2) / UNITS_PER_PIXEL
