"""Write a model as one ONNX file, which needs no PyTorch, and check that it answers as the model does.

    mmduet export work_dirs/transvg_duet_refcoco/best_acc@0.5_epoch_80.pth
    mmduet export folder_of_save_pretrained --out my_model.onnx --int8 --data data/refcoco_unc --splits testA
    mmduet export transvg_refcoco --random --benchmark 10
    mmduet export my_model --exporter my_export.py

The file is kept only if no box and no score differs from the model's by more than 1e-4; else the command ends with 1.
"""
from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmduet.cli import common, running, useless_flags

if TYPE_CHECKING:
    from mmduet.apis.pretrained import PretrainedGrounder
    from mmduet.export.base_exporter import Exporter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument('model', help='checkpoint, folder of save_pretrained or name on the hub; with --random a config')
    parser.add_argument('--out', type=Path, help='file to write (default: the name of the model, .onnx, here)')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.out])
    common.add_checkpoint_config_flags(parser)
    parser.add_argument('--vocabulary', help='vocab.txt of a checkpoint that holds none')
    common.add_hub_flags(parser)
    parser.add_argument('--random', action='store_true', help='export the model of a config with random weights, to try it')
    parser.add_argument('--int8', action='store_true', help='weights of 8 bits; what they lose is measured and printed')
    parser.add_argument('--opset', type=int, default=18, help='of ONNX, at least 18 (default: 18)')
    parser.add_argument('--exporter', metavar='CONFIG', help='a config whose `exporter` is another one, for example your own')
    parser.add_argument('--check', type=int, default=100, metavar='N',
                        help='compare so many answers with those of the model; the file is kept if boxes are within 1e-4 of '
                             'the image (default: 100; 0 for no check)')
    parser.add_argument('--images', help='folder of images for the check instead of drawn ones')
    parser.add_argument('--data', help='data root of a prepared data set, to measure accuracy on')
    common.add_splits_flag(parser, 'of --data (default: val)', default=('val', ))
    parser.add_argument('--first', type=int, help='only so many expressions of these splits')
    parser.add_argument('--benchmark', type=int, default=0, metavar='N', help='time N answers of the model and of the file')


def _validate(args: argparse.Namespace) -> None:
    if args.random:
        useless_flags.refuse(args, 'config vocabulary revision cache_dir offline',
                             'with --random the first argument is the config, and nothing is read or fetched')
    else:
        common.refuse_lone_changes(args)
    if args.exporter is not None:
        useless_flags.refuse(args, 'int8 opset', 'they are of the ONNX exporter; another has its arguments in its config')
    if args.data is None:
        useless_flags.refuse(args, 'splits first', 'they say what to measure accuracy on, of --data')
    if args.check == 0:
        useless_flags.refuse(args, 'images', 'it is for the check, which --check 0 leaves out')


def run(args: argparse.Namespace) -> int:
    """Export, check, measure; 1 where the check fails, which leaves no file."""
    from mmduet.export.exporting import CheckError, export
    exporter = _find_exporter(args)
    out = args.out or Path(f'{Path(args.model).stem}{exporter.suffix}')
    try:
        export(_read(args), exporter, out, check=args.check, images=args.images, data=args.data, splits=args.splits,
               first=args.first, benchmark=args.benchmark)
    except CheckError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


def _read(args: argparse.Namespace) -> PretrainedGrounder:
    from mmduet.apis.pretrained import PretrainedGrounder
    from mmduet.engine import config_tools
    common.import_own(args)
    if not args.random:
        return PretrainedGrounder.from_pretrained(args.model, config=common.changed_config(args), vocabulary=args.vocabulary,
                                                  **common.hub_options(args))
    from mmduet.registry import MODELS
    cfg = common.model_config(args.model, args)
    config_tools.drop_pretrained(cfg)
    with common.building(cfg):
        model = MODELS.build(cfg.model.get('student', cfg.model))
    return PretrainedGrounder.from_model(model, cfg)


def _find_exporter(args: argparse.Namespace) -> Exporter:
    from mmduet.engine import config_tools
    if args.exporter is None:
        return _build({'type': 'OnnxExporter', 'opset': args.opset, 'int8': args.int8})
    cfg = config_tools.load_config(args.exporter)
    if 'exporter' not in cfg:
        raise config_tools.ConfigError(f'{args.exporter} has no `exporter`')
    return _build(cfg.exporter)


def _build(config: Any) -> Exporter:
    from mmduet.registry import EXPORTERS
    exporter: Exporter = EXPORTERS.build(config)
    return exporter


main = partial(running.main, __name__)


if __name__ == '__main__':
    sys.exit(main())
