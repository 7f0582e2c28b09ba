#!/usr/bin/env python
"""Write RefShapes in RefCOCO's official layout, to be read by ``tools/prepare_dataset.py refshapes``."""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='folder to write to')
    parser.add_argument('--train', type=int, default=8000, help='training scenes')
    parser.add_argument('--val', type=int, default=1000, help='validation scenes')
    parser.add_argument('--test', type=int, default=1000, help='scenes of each test split')
    parser.add_argument('--seed', type=int, default=0, help='the same seed gives the same data everywhere')
    parser.add_argument('--size', type=int, default=64, help='pixels a side')
    parser.add_argument('--expressions', type=int, default=1, help='at most this many expressions of a training scene')
    parser.add_argument('--workers', type=int, default=2, help='processes')
    return parser.parse_args()


def main() -> None:
    """Write the data set and say what was written."""
    args = parse_args()
    # Here, so that --help answers at once.
    from mmduet.datasets.refshapes.writer import write_official_layout
    start = time.perf_counter()
    counts = {'train': args.train, 'val': args.val, 'testA': args.test, 'testB': args.test}
    written = write_official_layout(args.out, counts, args.seed, args.size, args.expressions, args.workers)
    said = ', '.join(f'{split} {count}' for split, count in written.items())
    print(f'{args.out}: {sum(counts.values())} scenes, expressions {said}, in {time.perf_counter() - start:.0f} s')


if __name__ == '__main__':
    main()
