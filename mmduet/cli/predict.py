"""Find what expressions refer to in images: a box each, as text, as JSON, drawn.

    mmduet predict example "the leftmost ring" --out answer.png     # an image and a toy that ship
    mmduet predict photo.jpg "the man on the left" --model work_dirs/transvg_duet_refcoco/best_acc@0.5_epoch_80.pth
    mmduet predict photos/ "left dog" "right dog" --model folder_of_save_pretrained --out drawn --json boxes.json
    mmduet predict photo.jpg "the man on the left" --model my_model.onnx
    mmduet predict "photos/*.png" https://example.org/a.jpg "the umbrella" --model TransVG_unc_R50.pth --device cpu

An image is a path, a folder, a pattern, a URL, or "example" for the one that ships. Images come first. What is none of these,
and no file by its name, is an expression; --expression says it where that is not clear. Images that cannot be read are named
at the end, and the exit code is then 1. The model is a folder, a name on the Hugging Face hub, or a checkpoint, also of the
authors of TransVG, VLTVG, QRNet and CLIP-VG.
"""
import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mmduet.cli import common, running
from mmduet.cli.image_arguments import missing_image, split_inputs
from mmduet.io.errors import DataError
from mmduet.io.text import counted

PRECISIONS = ('float32', 'bfloat16', 'float16', 'auto')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('inputs', nargs='+', metavar='IMAGE|EXPRESSION', help='images, then expressions about each of them')
    parser.add_argument('-e', '--expression', action='append', default=[], metavar='TEXT',
                        help='an expression; may be given several times')
    parser.add_argument('--model', default='toy', metavar='FILE|FOLDER|NAME',
                        help='checkpoint, folder of save_pretrained, name on the Hugging Face hub, or file of mmduet export '
                             '(default: %(default)s, which ships and knows coloured shapes only)')
    common.add_checkpoint_config_flags(parser)
    parser.add_argument('--vocabulary', metavar='FILE', help='vocab.txt of a checkpoint that holds none')
    common.add_hub_flags(parser)
    common.add_device_flag(parser)
    parser.add_argument('--precision', choices=PRECISIONS, default='float32', help='of the arithmetic (default: %(default)s)')
    parser.add_argument('--cuda-graphs', action='store_true', help='launch the kernels of an answer as one, on a GPU')
    parser.add_argument('--batch-size', type=common.positive, default=16, metavar='N',
                        help='expressions at a time (default: %(default)s)')
    parser.add_argument('--out', metavar='FILE|FOLDER', help='write the drawn images there: a folder, or for one answer a file')
    parser.add_argument('--json', metavar='FILE', help='write the answers there; - for standard output')
    parser.add_argument('--show', action='store_true', help="open the drawn images in the system's viewer")
    parser.set_defaults(validate=_validate, writes=_writes, reads=lambda args: args.images)


def _validate(args: argparse.Namespace) -> None:
    common.refuse_lone_changes(args)
    args.images, args.expressions = split_inputs(args.inputs, args.expression)
    if args.json not in (None, '-') and Path(args.json).suffix.lower() not in ('', '.json'):
        raise argparse.ArgumentTypeError(f'--json {args.json} must end in .json')


def _json_path(args: argparse.Namespace) -> Path:
    path = Path(args.json)
    return path if path.suffix.lower() == '.json' else path.with_name(f'{path.name}.json')


def _is_drawing(name: str) -> bool:
    """Whether ``--out`` is a file for one answer; else it is a folder. A ``DataError`` for a file of another kind."""
    from mmduet.apis.results import is_drawing, is_file_name
    if is_drawing(name):
        return True
    path = Path(name)
    if path.suffix.lower() == '.json' and not path.is_dir():
        raise DataError(f'--out {name} is for drawn images: --json writes the answers')
    if is_file_name(path):
        raise DataError(f'--out {name} is neither an image nor a folder: --json writes the answers')
    return False


def _writes(args: argparse.Namespace) -> Iterator[Path]:
    if args.json not in (None, '-'):
        yield _json_path(args)
    if args.out is not None:
        yield Path(args.out) if _is_drawing(args.out) else Path(args.out) / 'drawn.png'


def write(results: Any, args: argparse.Namespace) -> None:
    """Print the answers, write and show them."""
    if args.json == '-':
        print(results.to_json())
    else:
        for result in results:
            score = '' if result.score is None else f'  {result.score:.0%}'
            print(f'{result.source}: {result.expression}: {" ".join(f"{value:.1f}" for value in result.box)}{score}')
    if args.json not in (None, '-'):
        results.save(_json_path(args))
    if args.out is not None:
        written = [results[0].save(args.out)] if _is_drawing(args.out) else results.save(args.out)
        if args.json != '-':
            print(f'drawn: {written[0]}' if len(written) == 1 else f'{len(written)} drawn images in {args.out}')
    if args.show:
        results.show()


def _is_exported(args: argparse.Namespace) -> bool:
    return Path(args.model).suffix.lower() == '.onnx'


def _open_exported(args: argparse.Namespace) -> Any:
    """A model of ``mmduet export``; imports no PyTorch."""
    asked = (args.config, args.imports, args.vocabulary, args.revision, args.cache_dir, args.offline, args.precision,
             args.cuda_graphs)
    if asked != (None, [], None, None, None, False, 'float32', False) or args.device not in ('auto', 'cpu'):
        raise DataError(f'{args.model} is exported: --config, --import, --vocabulary, --revision, --cache-dir, --offline, '
                        '--precision, --cuda-graphs and --device are for what PyTorch runs')
    try:
        from mmduet.export.runtime import OnnxGrounder
        return OnnxGrounder(args.model)
    except ImportError as error:
        raise DataError(f'{args.model} needs what is not installed ({error})') from error


def _open_trained(args: argparse.Namespace) -> Any:
    from mmduet.apis import GroundingInferencer
    common.import_own(args)
    config = common.changed_config(args)
    model, weights = (args.model, None) if config is None else (config, args.model)
    return GroundingInferencer(model, weights, device=args.device, precision=args.precision, vocabulary=args.vocabulary,
                               cuda_graphs=args.cuda_graphs, **common.hub_options(args))


def run(args: argparse.Namespace) -> int:
    """Predict; boxes are x1 y1 x2 y2 in pixels of the image. 1 where an image could not be read; the others are answered."""
    from mmduet.apis.image_inputs import list_images
    if (missing := missing_image(args.images)) is not None:
        raise DataError(missing)
    try:
        answers = len(list_images(args.images)) * len(args.expressions)
        if args.out is not None and _is_drawing(args.out) and answers > 1:
            raise DataError(f'--out {args.out} holds one answer and there are {answers}: name a folder')
        ground = (_open_exported if _is_exported(args) else _open_trained)(args)
        results = ground(args.images, args.expressions, batch_size=args.batch_size, skip_broken=True)
    except (TypeError, ValueError, RuntimeError) as error:
        if type(error) in (TypeError, ValueError, RuntimeError):
            raise DataError(str(error)) from error
        raise
    if results:
        write(results, args)
    for why in results.broken:
        print(f'error: {why}', file=sys.stderr)
    if results and results.broken:
        print(f'{counted(len(results.broken), "image")} could not be read; the answers are about the others', file=sys.stderr)
    return 1 if results.broken else 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
