#!/usr/bin/env python
"""Measure the levels of RefShapes, and draw a sheet of scenes of each.

python projects/ablation/refshapes_levels.py --sheets docs/images
"""
import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if TYPE_CHECKING:
    from PIL import Image

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
    from mmduet.refshapes.facts import measure_level
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
