"""Turn the annotations of a data set, in whatever layout they came, into a data root that mmduet trains and evaluates on.

    mmduet prepare refcoco_unc --source DOWNLOADS/refcoco --images COCO/train2014 --check
    mmduet prepare flickr30k --source annotations.zip --images flickr30k-images --protocol any
    mmduet prepare own --source mine.jsonl --images images --out data/mine
    mmduet prepare refcoco_unc --check

Data sets: refcoco_unc, refcocoplus_unc, refcocog_umd, refcocog_google, referit, flickr30k, refshapes, own. The layout of
--source, a folder, a file or a zip archive, is recognised by what it holds; docs/data.md lists the layouts. Images stay where
they are; the data root (data/NAME unless --out says otherwise) gets one annotation line per expression and a manifest. Images
of the 2014 and of the 2017 release of COCO are found, also in sub-folders of --images. --check, with or without --source,
checks everything that may be wrong with the data root and ends with 1 where something is; with it, images are decoded before
anything is written, so that a broken one is refused.
"""
import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mmduet.cli import common, running, useless_flags
from mmduet.io.files import data_folder
from mmduet.io.text import counted

SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('name', help='which data set')
    parser.add_argument('--source', type=Path, help='folder, file or zip archive with the annotations')
    parser.add_argument('--images', type=Path, help='folder with the images, or a zip or tar as it was downloaded, '
                                                             'which is not unpacked (default: images/ inside --source)')
    parser.add_argument('--out', type=Path, help='data root to write or check (default: data/NAME)')
    parser.add_argument('--layout', help='which layout to read, where the source has several')
    parser.add_argument('--protocol', help='flickr30k: merged (a box around all; default) or any (one of them is enough)')
    common.add_splits_flag(parser, 'prepare or check only these')
    parser.add_argument('--allow-missing-images', action='store_true',
                        help='leave out expressions whose image is missing or broken instead of refusing')
    parser.add_argument('--check-images', action='store_true', help='decode every image and compare its size before writing')
    parser.add_argument('--check', action='store_true',
                        help='check the data root; with --source its images before writing it, and all else after')
    parser.add_argument('--show', type=common.not_negative, default=SHOWN,
                        help='how many problems of each kind to name (default: %(default)s)')
    parser.add_argument('--workers', type=common.positive, default=4, help='threads that open images')
    parser.set_defaults(validate=_validate, writes=_writes)


def _validate(args: argparse.Namespace) -> None:
    if args.source is None and not args.check:
        raise argparse.ArgumentTypeError('--source or --check is needed')
    if args.source is None:
        useless_flags.refuse(args, 'images layout protocol allow_missing_images check_images',
                             'nothing is prepared without --source, and --check decodes every image')


def _root(args: argparse.Namespace) -> Path:
    return args.out or data_folder() / args.name


def _writes(args: argparse.Namespace) -> list[Path]:
    return [_root(args) / 'manifest.json'] if args.source is not None else []


def show_some(title: str, entries: Sequence[object], shown: int = SHOWN) -> None:
    """Print a title, which says how many there are, and name the first few; nothing where there are none."""
    if entries:
        more = f'\n  ... and {len(entries) - shown} more' if len(entries) > shown else ''
        print(f'{title}:\n  ' + '\n  '.join(map(str, entries[:shown])) + more)


def show_counts(published: Mapping[str, tuple[int | None, int | None, int]], source: Mapping[str, tuple[int, int, int]],
                written: Mapping[str, tuple[int, int, int]]) -> None:
    """Print images / references / expressions of each split: published, in the source, their difference, with images."""
    def cell(counts: Sequence[int | None] | None, sign: str = '') -> str:
        return ' / '.join('-' if count is None else f'{count:{sign},}' for count in counts) if counts else '-'

    print(f'{"images / refs / expressions":28}{"published":>27}{"source":>27}{"difference":>31}{"written":>27}')
    for split in dict.fromkeys([*published, *source]):
        known, found = published.get(split), source.get(split, (0, 0, 0))
        difference = [None if b is None else a - b for a, b in zip(found, known, strict=True)] if known else None
        print(f'{split:28}{cell(known):>27}{cell(found):>27}{cell(difference, "+"):>31}'
              f'{cell(written.get(split, (0, 0, 0))):>27}')


def progress_bar(title: str) -> Callable[[int, int], None] | None:
    """Something that draws a bar on a terminal; None where nobody would see it."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            filled = 40 * done // total
            bar = f'\r{title} [{"#" * filled}{"." * (40 - filled)}] {done:,} of {total:,}'
            print(bar, end='\n' if done == total else '', file=sys.stderr, flush=True)

    return draw


def prepare_root(args: argparse.Namespace, out: Path) -> None:
    """Read, match with the images, write."""
    from mmduet.datasets.preparation import prepare, write_data_root
    from mmduet.datasets.readers import find_dataset
    from mmduet.io.errors import DataError
    spec = find_dataset(args.name)
    images = args.images or default_images(args.source)
    source, prepared = prepare(spec, args.source, images, args.layout, args.protocol, args.splits,
                               args.check_images or args.check, args.workers, progress_bar('images'))
    published = {split: counts for split, counts in spec.published.items() if not args.splits or split in args.splits}
    protocol = f', protocol {source.protocol}' if source.protocol else ''
    print(f'{args.name}: layout {source.layout}{protocol}')
    show_counts(published, prepared.source_counts, prepared.counts)
    for name, count in source.about.items():
        if isinstance(count, int):
            print(f'{name.replace("_", " ")}: {count:,}')
    show_some(f'{counted(len(source.blank), "blank expression")} left out', source.blank, args.show)
    show_some(f'{counted(len(source.unread), "key")} of the lines that nobody reads',
              list(source.unread.values()), args.show)
    show_some(f'{counted(len(prepared.missing), "image")} missing from {images}', prepared.missing, args.show)
    show_some(f'{counted(len(prepared.broken), "image")} that cannot be used', prepared.broken, args.show)
    show_some(f'{counted(len(prepared.odd_boxes), "box", "boxes")} without area or outside the image (clipped in training, '
              'kept for evaluation)', prepared.odd_boxes, args.show)
    if spec.warning:
        print(f'warning: {spec.warning}')
    if (prepared.missing or prepared.broken) and not args.allow_missing_images:
        raise DataError(f'missing or broken images: {len(prepared.missing) + len(prepared.broken):,}; nothing was '
                        'written. Get them, or leave their expressions out with --allow-missing-images')
    write_data_root(out, args.name, prepared, source, images, some=bool(args.splits))
    print(f'wrote {counted(len(prepared.annotations), "expression")} to {out}')


def default_images(source: Path) -> Path:
    """``images/`` inside the source, or beside it where it is a file."""
    return (source if source.is_dir() else source.parent) / 'images'


def check_root(name: str | None, args: argparse.Namespace, out: Path, decode: bool = True) -> int:
    """Check the data root of a data set, or of any where no name is given; print what was found; returns the exit code."""
    from mmduet.datasets.checking import check_data_root
    from mmduet.datasets.manifest import read_manifest
    from mmduet.io.errors import DataError
    found = read_manifest(out)['dataset']
    if name is not None and found != name:
        raise DataError(f'{out} holds {found}, not {name}')
    findings = check_data_root(out, args.splits, args.workers, progress_bar('decoding'), decode)
    for kind in dict.fromkeys(finding.kind for finding in findings):
        of_kind = [finding for finding in findings if finding.kind == kind]
        severity = 'ERROR' if any(finding.fatal for finding in of_kind) else 'note'
        show_some(f'{len(of_kind):,} {severity}: {kind}', of_kind, args.show)
    errors = sum(finding.fatal for finding in findings)
    print(f'{out}: {counted(errors, "error")}, {counted(len(findings) - errors, "note")}')
    return 1 if errors else 0


def run(args: argparse.Namespace) -> int:
    """Prepare and check one data set; returns the exit code."""
    out = _root(args)
    if args.source is not None:
        prepare_root(args, out)
    if not args.check:
        return 0
    code = check_root(args.name, args, out, decode=args.source is None)
    if code and args.source is not None:
        print(f'{out} was written, with these errors: repair {args.source} and prepare it again before you use it')
    return code


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
