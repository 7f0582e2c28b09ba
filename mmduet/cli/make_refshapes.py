"""Write RefShapes in RefCOCO's official layout, to be read by ``mmduet prepare refshapes``.

Without counts the standard set is written; smaller counts give its first scenes. docs/refshapes.md says what the data is.
"""
import argparse
import sys
import time
from functools import partial
from pathlib import Path

from mmduet.cli import common, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('--out', type=Path, required=True, help='folder to write to')
    parser.set_defaults(writes=lambda args: [args.out / 'manifest.json'])
    parser.add_argument('--level', default='standard', choices=('easy', 'standard', 'hard', 'parts'), help='of difficulty')
    parser.add_argument('--train', type=int, default=32000, help='training scenes')
    parser.add_argument('--val', type=int, default=5000, help='validation scenes')
    parser.add_argument('--test', type=int, default=5000, help='scenes of testA, testB, heldout and absent')
    parser.add_argument('--seed', type=common.not_negative, default=0, help='the same seed gives the same files everywhere')
    parser.add_argument('--size', type=int, default=64, help='pixels a side')
    parser.add_argument('--expressions', type=int, default=1, help='at most this many of a target of a training scene')
    parser.add_argument('--targets', type=int, default=1, help='at most so many objects of a training scene are targets')
    parser.add_argument('--workers', type=common.positive, default=2, help='processes')


def run(args: argparse.Namespace) -> int:
    """Write the data set and say what was written; 1 with one sentence on standard error if that cannot be done."""
    from mmduet.refshapes import Recipe, write_official_layout
    start = time.perf_counter()
    counts = {'train': args.train, 'val': args.val, 'testA': args.test, 'testB': args.test, 'heldout': args.test,
              'absent': args.test}
    recipe = Recipe(seed=args.seed, level=args.level, size=args.size, expressions=args.expressions, targets=args.targets)
    try:
        manifest = write_official_layout(args.out, counts, recipe, args.workers)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    said = ', '.join(f'{split} {count}' for split, count in manifest['sentences'].items())
    print(f'{args.out}: {sum(counts.values())} scenes of level {args.level}, expressions {said}, '
          f'in {time.perf_counter() - start:.0f} s\nsha256 of all files {manifest["sha256"]}')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
