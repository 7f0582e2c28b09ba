"""Count the images that a training set, or a backbone before, shares with val and test of the five data sets.

    mmduet check-leaks --train data/refcoco_unc data/refcocog_umd --splits train val
    mmduet check-leaks --config transvg_joint
    mmduet check-leaks --seen-ids ids_of_visual_genome.txt

Ends with 1 where something is shared. Images of COCO are the same under their names of 2014 and 2017, in every data set. A list
of seen ids holds COCO numbers or file names, one per line, as a JSON list, or is a COCO file with images.
"""
import argparse
from functools import partial
from pathlib import Path

from mmduet.cli import common, running, useless_flags
from mmduet.io.files import PACKAGE_PARENT, data_folder
from mmduet.io.text import counted

FIVE = ('refcoco_unc', 'refcocoplus_unc', 'refcocog_umd', 'referit', 'flickr30k')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('--train', nargs='+', action='extend', default=[], metavar='ROOT', help='data roots trained on')
    common.add_splits_flag(parser, 'of --train (default: train)', default=('train', ))
    parser.add_argument('--config', help='a config, for what it trains on')
    common.add_change_flags(parser)
    parser.add_argument('--seen-ids', nargs='+', action='extend', default=[], type=Path, metavar='FILE',
                        help='lists of images a backbone saw')
    parser.add_argument('--seen-collection', default='coco', help='where bare numbers of these lists count (%(default)s)')
    parser.add_argument('--test', nargs='+', action='extend', type=Path, metavar='ROOT',
                        help=f'data roots tested on (default: those of {", ".join(FIVE)} that are in data/)')
    parser.set_defaults(validate=_validate)


def _validate(args: argparse.Namespace) -> None:
    if not (args.train or args.config or args.seen_ids):
        raise argparse.ArgumentTypeError('--train, --config or --seen-ids is needed')
    common.refuse_lone_changes(args)
    if not args.train:
        useless_flags.refuse(args, 'splits', 'they are of data roots that --train names')
    if not args.seen_ids:
        useless_flags.refuse(args, 'seen_collection', 'it is about the lists of --seen-ids')


def run(args: argparse.Namespace) -> int:
    """Compare and print; returns the exit code."""
    from mmduet.datasets.leakage import find_overlaps, images_of, read_seen_ids, training_images
    from mmduet.io.errors import DataError
    seen = {str(path): read_seen_ids(path, args.seen_collection) for path in args.seen_ids}
    for root in args.train:
        uses = images_of(Path(root), args.splits)
        seen[root] = {key for split in uses.values() for key in split}
    if args.config is not None:
        seen.update(training_images(common.change_config(args.config, args).train_dataloader.dataset, PACKAGE_PARENT))
    # The google split of RefCOCOg too, where somebody has it; nobody is told to get it.
    roots = args.test or [data_folder() / name for name in (*FIVE, 'refcocog_google')
                          if (data_folder() / name / 'manifest.json').is_file()]
    absent = [name for name in FIVE if name not in {root.name for root in roots}] if args.test is None else []
    if not roots:
        raise DataError(f'none of {", ".join(FIVE)} is in {data_folder()}: prepare them, or name data roots with --test')
    overlaps = find_overlaps(seen, roots)
    for overlap in overlaps:
        print(f'{overlap.seen_in} and {overlap.dataset} {overlap.split}: {overlap.images:,} of '
              f'{counted(overlap.all_images, "image")}, {overlap.expressions:,} of '
              f'{counted(overlap.all_expressions, "expression")}'
              + (f', such as {"; ".join(overlap.examples)}' if overlap.images else ''))
    if absent:
        print(f'not checked, because not prepared: {", ".join(absent)}')
    shared = sum(overlap.images > 0 for overlap in overlaps)
    pairs = counted(len(overlaps), 'pair')
    print(f'images are shared in {shared} of {pairs}' if shared else f'no image is shared ({pairs})')
    return 1 if shared else 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
