"""Check data roots for everything that may be wrong with them, and training data for images that are tested on.

    mmduet check data/refcoco_unc data/mine
    mmduet check refcoco_unc --splits val testA
    mmduet check --leaks transvg_joint

Data are named by their folder, or by the name of one in data/. Ends with 1 where something is wrong or shared.
"""
import argparse
from functools import partial
from pathlib import Path

from mmduet.cli import check_leaks, common, prepare, running, useless_flags
from mmduet.io.files import data_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('data', nargs='*', help='data roots')
    common.add_splits_flag(parser, 'check only these')
    parser.add_argument('--show', type=common.not_negative, default=prepare.SHOWN,
                        help='how many problems of each kind to name (default: %(default)s)')
    parser.add_argument('--workers', type=common.positive, default=4,
                        help='threads that open images (default: %(default)s)')
    parser.add_argument('--leaks', metavar='CONFIG',
                        help='count the images that a config trains on and that are in val and test of the data sets in data/')
    common.add_change_flags(parser)
    parser.set_defaults(validate=_validate)


def _validate(args: argparse.Namespace) -> None:
    if not args.data and args.leaks is None:
        raise argparse.ArgumentTypeError('name a data root, or a config with --leaks')
    common.refuse_lone_changes(args, 'leaks')
    if not args.data:
        useless_flags.refuse(args, 'splits show workers', 'they are about data roots, and none is named')


def find_root(name: str) -> Path:
    """The folder of a data root, or of one in ``data/``."""
    return Path(name) if Path(name).exists() or not (data_folder() / name).is_dir() else data_folder() / name


def run(args: argparse.Namespace) -> int:
    """Check; 1 where something is wrong or shared."""
    codes = [prepare.check_root(None, args, find_root(name)) for name in args.data]
    if args.leaks is not None:
        changes = [word for flag, words in (('--patch', args.patch), ('--cfg-options', args.cfg_options)) if words
                   for word in (flag, *words)]
        codes.append(check_leaks.run(check_leaks.parse_args(['--config', args.leaks, *changes])))
    return max(codes)


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
