#!/usr/bin/env python
"""Turn the official files of a data set into a data root that mmduet trains and evaluates on.

    python tools/prepare_dataset.py refcoco_unc --source DOWNLOADS/refcoco --images COCO/train2014

Data sets: refcoco_unc, refcocoplus_unc, refcocog_umd, refcocog_google, refshapes. Images stay where they are; the data root
(data/NAME unless --out says otherwise) gets one annotation line per expression and a manifest. Images of the 2014 and of the
2017 release of COCO are found, also in sub-folders of --images.
"""
import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 5


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', help='which data set')
    parser.add_argument('--source', type=Path, required=True, help='folder with the official annotation files')
    parser.add_argument('--images', type=Path, help='folder with the images (default: images/ inside --source)')
    parser.add_argument('--out', type=Path, help='data root to write (default: data/NAME)')
    parser.add_argument('--allow-missing-images', action='store_true',
                        help='leave out expressions whose image is missing or broken instead of refusing')
    parser.add_argument('--check-images', action='store_true', help='decode every image and compare its size')
    parser.add_argument('--workers', type=int, default=4, help='threads that check images')
    return parser.parse_args(arguments)


def show_some(title: str, entries: Sequence[str]) -> None:
    """Print how many there are and name the first few."""
    if entries:
        more = f'\n  ... and {len(entries) - SHOWN} more' if len(entries) > SHOWN else ''
        print(f'{len(entries)} {title}:\n  ' + '\n  '.join(entries[:SHOWN]) + more)


def show_counts(published: Mapping[str, tuple[int, int, int]], source: Mapping[str, tuple[int, int, int]],
                written: Mapping[str, tuple[int, int, int]]) -> None:
    """Print images / references / expressions of each split: published, in the source, their difference, with images."""
    def cell(counts: tuple[int, ...] | None, sign: str = '') -> str:
        return ' / '.join(f'{count:{sign},}' for count in counts) if counts else '-'

    print(f'{"images / refs / expressions":28}{"published":>27}{"source":>27}{"difference":>31}{"written":>27}')
    for split in dict.fromkeys([*published, *source]):
        known, found = published.get(split), source.get(split, (0, 0, 0))
        difference = tuple(a - b for a, b in zip(found, known, strict=True)) if known else None
        print(f'{split:28}{cell(known):>27}{cell(found):>27}{cell(difference, "+"):>31}'
              f'{cell(written.get(split, (0, 0, 0))):>27}')


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare one data set; returns the exit code."""
    args = parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    from mmduet.datasets.errors import DataError
    from mmduet.datasets.preparation import prepare, write_data_root
    from mmduet.datasets.readers import find_dataset
    try:
        spec = find_dataset(args.name)
        images = args.images or spec.locate(args.source) / 'images'
        out = args.out or ROOT / 'data' / args.name
        source, prepared = prepare(spec, args.source, images, args.check_images, args.workers)
        show_counts(spec.published, prepared.source_counts, prepared.counts)
        show_some('blank expressions left out', source.blank)
        show_some(f'images missing from {images}', prepared.missing)
        show_some('images that cannot be used', prepared.broken)
        show_some('boxes without area or outside their image (clipped in training, kept for evaluation)', prepared.odd_boxes)
        if spec.warning:
            print(f'warning: {spec.warning}')
        if (prepared.missing or prepared.broken) and not args.allow_missing_images:
            raise DataError(f'{len(prepared.missing) + len(prepared.broken)} images are missing or broken; nothing was '
                            'written. Get them, or leave their expressions out with --allow-missing-images')
        write_data_root(out, args.name, prepared, source, images)
    except DataError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'wrote {len(prepared.annotations)} expressions to {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
