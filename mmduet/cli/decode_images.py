"""Decode the images of data roots once into one file, from which training reads pixels without decoding.

    mmduet decode-images data/refcoco_unc --splits train --out data/refcoco_decoded.zip
    mmduet train CONFIG --cfg-options train_dataloader.dataset.image_dir=$PWD/data/refcoco_decoded.zip

The file is large, about 0.9 MB an image of COCO: this is for machines that keep it in memory, where decoding costs more than
reading. docs/performance.md has figures.
"""
import argparse
from functools import partial
from pathlib import Path

from mmduet.cli import common, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('roots', type=Path, nargs='+', metavar='DATA_ROOT', help='data roots that share a folder of images')
    common.add_splits_flag(parser, 'whose images (default: all)')
    parser.add_argument('--out', type=Path, required=True, help='the file to write; its name ends in .zip')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.out])


def _validate(args: argparse.Namespace) -> None:
    if args.out.suffix != '.zip':
        raise argparse.ArgumentTypeError(f'the name of the file must end in .zip, got {args.out}')


def run(args: argparse.Namespace) -> int:
    """Write the file and say what is in it and how to train from it."""
    from rich.progress import track

    from mmduet.datasets.decoded_images import list_images, write_decoded_images
    images = list_images(args.roots, args.splits or None)
    print(f'{len(images.sizes):,} images of {images.folder} take {images.decoded_bytes / 1e9:.1f} GB', flush=True)
    for _ in track(write_decoded_images(images, args.out), 'decoding', total=len(images.sizes)):
        pass
    print(f'{args.out}: train with --cfg-options train_dataloader.dataset.image_dir={args.out.resolve()}')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
