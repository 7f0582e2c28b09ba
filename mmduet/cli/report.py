"""Make a page and a JSON that say how good predictions are, where they fail, and whether one system is better than another.

    mmduet test CONFIG CHECKPOINT --splits val --out a.jsonl
    mmduet report a.jsonl --ann data/refcoco_unc/annotations/val.jsonl
    mmduet report a.jsonl b.jsonl --names plain,distilled --ann data/refcoco_unc/annotations/val.jsonl
    mmduet report boxes.csv --boxes xywh --ann val.jsonl --images images --out boxes.html

Predictions may come from any system: JSON lines or a JSON list of {"expression_id", "split", "box", "score"}, or plain boxes,
one per expression in the order of the annotations, as JSON lines, JSON or CSV. Each further file is compared with the first.
Images and other annotated objects are taken from the data root of --ann where it has them. docs/evaluation.md has more.
"""
import argparse
import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmduet.cli import common, running
from mmduet.io.text import counted

FORMATS = ('xyxy', 'xywh')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('predictions', nargs='+', type=Path, metavar='PRED', help='.jsonl, .json or .csv, one file per system')
    parser.add_argument('--ann', nargs='+', action='extend', type=Path, required=True, metavar='FILE',
                        help='annotations, in our JSON lines')
    parser.add_argument('--images', type=Path, metavar='DIR|FILE',
                        help="images, a folder, a zip or a tar (default: as the data root's manifest says)")
    parser.add_argument('--objects', type=Path, metavar='FILE',
                        help='other annotated objects (default: objects.jsonl beside the annotations)')
    parser.add_argument('--out', type=Path, default=Path('report.html'),
                        help='the page; the JSON has the same name (default: %(default)s)')
    parser.add_argument('--names', type=common.names, metavar='A,B', help='of the systems (default: names of the files)')
    parser.add_argument('--boxes', type=_formats, metavar='xyxy|xywh',
                        help='corners, or corner and size, in pixels: for all files, or one for each, joined by commas')
    parser.add_argument('--allow-no-box', action='store_true', help='take null and nan for "no box found", which is a miss')
    parser.add_argument('--kept-out', type=_words, metavar='yes|no|unknown',
                        help='whether pre-training saw none of the images, for files that do not say it: for all, or one for '
                             'each, joined by commas')
    parser.add_argument('--title', help='heading of the page')
    parser.add_argument('--draws', type=common.positive, default=1000, help='of the bootstrap (default: %(default)s)')
    parser.add_argument('--cases', type=common.positive, default=16, metavar='N',
                        help='in each gallery (default: %(default)s)')
    parser.add_argument('--most-cases', type=common.positive, default=20_000, metavar='N',
                        help='in the list of all cases; the page says how many it leaves out (default: %(default)s)')
    parser.add_argument('--most-mb', type=common.positive, default=12, metavar='MB',
                        help='of images in that list (default: %(default)s)')
    parser.add_argument('--seed', type=common.not_negative, default=0,
                        help='of draws and of random cases (default: %(default)s)')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.out, args.out.with_suffix('.json')],
                        reads=lambda args: [*args.predictions, *args.ann, args.objects])


def _validate(args: argparse.Namespace) -> None:
    for name in ('names', 'boxes', 'kept_out'):
        given = getattr(args, name)
        if given and len(given) != len(args.predictions) and (name == 'names' or len(given) != 1):
            flag = name.replace('_', '-')
            raise argparse.ArgumentTypeError(f'--{flag} has {counted(len(given), "entry", "entries")} for '
                                             f'{counted(len(args.predictions), "file")} of predictions')
    if args.names and len(set(args.names)) < len(args.names):
        raise argparse.ArgumentTypeError('--names must differ from one another')
    if args.out.suffix.lower() not in ('.html', '.htm'):
        raise argparse.ArgumentTypeError(f'--out must end in .html, got {args.out}')


def _formats(text: str) -> list[str]:
    formats = text.split(',')
    if not set(formats) <= set(FORMATS):
        raise argparse.ArgumentTypeError(f'must be {" or ".join(FORMATS)}, got {text!r}')
    return formats


def _words(text: str) -> list[str]:
    words = text.split(',')
    if not set(words) <= {'yes', 'no', 'unknown'}:
        raise argparse.ArgumentTypeError(f'must be yes, no or unknown, got {text!r}')
    return words


def _one_each(given: list[str] | None, count: int) -> list[str | None]:
    """One value for each file, where one was given for all or none at all."""
    if not given:
        return [None] * count
    return [*given * count] if len(given) == 1 else [*given]


def name_systems(paths: Sequence[Path]) -> list[str]:
    """Names of files without their ends, with as much of the folders, or a number, as tells them apart."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [f'{path.resolve().parent.name}/{path.stem}' for path in paths]
    seen = Counter(names)
    return [name if seen[name] == 1 else f'{name} ({number})' for number, name in enumerate(names, 1)]


def find_images(annotations: Path) -> Path | None:
    """The folder of images that the manifest of a data root names; None where there is none."""
    from mmduet.io.files import read_regular
    from mmduet.io.image_archives import is_archive
    root = annotations.resolve().parent.parent
    try:
        folder = json.loads(read_regular(root / 'manifest.json'))['images']
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return root / folder if (root / folder).is_dir() or is_archive(root / folder) else None


def run(args: argparse.Namespace) -> int:
    """Make the report."""
    from mmduet.evaluation.report.cases import read_cases
    from mmduet.evaluation.report.gallery import Album, choose_groups
    from mmduet.evaluation.report.page import draw_page
    from mmduet.evaluation.report.phrases import TITLES
    from mmduet.evaluation.report.predictions import read_predictions
    from mmduet.evaluation.report.summary import summarise
    from mmduet.io.errors import DataError
    from mmduet.io.files import write_together
    from mmduet.io.image_archives import is_archive
    if args.images is not None and not args.images.exists():
        raise DataError(f'the image folder {args.images} does not exist')
    if args.images is not None and not (args.images.is_dir() or is_archive(args.images)):
        raise DataError(f'{args.images} is neither a folder of images nor a zip or tar of them')
    cases = read_cases(args.ann, args.objects)
    names = args.names or name_systems(args.predictions)
    formats, words = (_one_each(given, len(names)) for given in (args.boxes, args.kept_out))
    systems = [read_predictions(path, cases, name, box_format, args.allow_no_box, word)
               for path, name, box_format, word in zip(args.predictions, names, formats, words, strict=True)]
    summary = summarise(cases, systems, args.draws, args.seed)
    album = Album(args.images or find_images(args.ann[0]))
    page = draw_page(summary, choose_groups(summary, args.cases, args.seed), album, args.title or ' and '.join(names),
                     most_cases=args.most_cases, most_bytes=args.most_mb * 10**6)
    figures = json.dumps(summary.figures, indent=1, ensure_ascii=False, allow_nan=False) + '\n'
    write_together({args.out: page, args.out.with_suffix('.json'): figures})
    for system in summary.figures['systems']:
        values = ', '.join(f'{TITLES[name]} {figure["value"]:.2f}' for name, figure in system['metrics'].items())
        print(f'{system["name"]}: {values}; images kept out of pre-training: {system["pretrain_kept_out"]}')
    print(f'wrote {args.out} ({len(page) / 1e6:.1f} MB) and {args.out.with_suffix(".json")}')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
