#!/usr/bin/env python
"""Measure the levels of RefShapes, and draw a sheet of scenes of each.

python projects/ablation/refshapes_levels.py --sheets docs/images
"""
import argparse
import sys
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if TYPE_CHECKING:
    from PIL import Image

    from mmduet.refshapes.generator import Example
    from mmduet.refshapes.scene import SceneObject

SHOWN_SPLITS = ('train', 'testA', 'testB', 'heldout')
COLUMNS, TILE, GAP, FONT_SIZE, LINES = 5, 176, 10, 13, 3
PAPER, INK, BOX, FAINT = (255, 255, 255), (20, 20, 20), (0, 170, 60), (120, 120, 120)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--scenes', type=int, default=1000, help='scenes of each level to measure (default: 1000)')
    parser.add_argument('--split', default='val', help='split to measure (default: val)')
    parser.add_argument('--seed', type=int, default=0, help='of the scenes (default: 0)')
    parser.add_argument('--sheets', type=Path, help='folder to write refshapes_LEVEL.jpg to')
    return parser.parse_args()


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
    import numpy as np

    from mmduet.refshapes.generator import make_example
    if scenes < 1:
        raise ValueError(f'facts need at least 1 scene, got {scenes}')
    rows = [_facts(make_example(seed, split, index, level=level)) for index in range(scenes)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _facts(example: 'Example') -> dict[str, float]:
    import numpy as np

    from mmduet.refshapes.scene import SCENE_SIZE
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


def _gap(first: 'SceneObject', second: 'SceneObject') -> float:
    """Pixels between two boxes along the axis that parts them most."""
    from mmduet.refshapes.scene import UNITS_PER_PIXEL
    left, top, right, bottom = first.extent
    x1, y1, x2, y2 = second.extent
    return max(x1 - right, left - x2, y1 - bottom, top - y2) / UNITS_PER_PIXEL


def draw_sheet(level: str, seed: int) -> 'Image.Image':
    """An image with a row of scenes of each split: target in green, the expression below."""
    import textwrap

    from PIL import Image, ImageDraw, ImageFont

    from mmduet.refshapes import make_example
    font, step = ImageFont.load_default(FONT_SIZE), FONT_SIZE + 3
    width, height = TILE + GAP, TILE + 8 + step * (LINES + 1)
    sheet = Image.new('RGB', (COLUMNS * width + GAP, len(SHOWN_SPLITS) * height + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, split in enumerate(SHOWN_SPLITS):
        for column in range(COLUMNS):
            example = make_example(seed, split, column, TILE, level=level)
            left, top = GAP + column * width, GAP + row * height
            sheet.paste(Image.fromarray(example.image), (left, top))
            x1, y1, x2, y2 = (float(value) for value in example.scene.boxes(TILE)[example.scene.target])
            draw.rectangle((left + x1 - 2, top + y1 - 2, left + x2 + 1, top + y2 + 1), outline=BOX, width=2)
            expression = example.expressions[0]
            lines = textwrap.wrap(expression.text, 27)[:LINES]
            for number, line in enumerate([f'{split}, {expression.kind}', *lines]):
                draw.text((left, top + TILE + 4 + step * number), line, fill=INK if number else FAINT, font=font)
    return sheet


def main() -> int:
    """Print the table; 1 with one sentence on standard error if that cannot be done."""
    arguments = parse_arguments()
    from mmduet.refshapes import LEVELS
    try:
        facts = {level: measure_level(level, arguments.split, arguments.scenes, arguments.seed) for level in LEVELS}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'| {arguments.scenes} scenes of {arguments.split}, means | ' + ' | '.join(facts) + ' |')
    print('|---' * (1 + len(facts)) + '|')
    for name in facts['standard']:
        print(f'| {name} | ' + ' | '.join(f'{facts[level][name]:.2f}' if facts[level][name] < 9.995 else
                                          f'{facts[level][name]:.1f}' for level in facts) + ' |')
    if arguments.sheets:
        arguments.sheets.mkdir(parents=True, exist_ok=True)
        for level in LEVELS:
            path = arguments.sheets / f'refshapes_{level}.jpg'
            draw_sheet(level, arguments.seed).save(path, quality=80, optimize=True)
            print(f'{path}: {path.stat().st_size / 1000:.0f} kB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
