"""Train a grounder, plain or distilled.

    mmduet train transvg_duet_refcoco
    mmduet train CONFIG --resume                      # go on from the last complete checkpoint
    mmduet train CONFIG --amp bf16 --accumulate 4 --ema --seed 1

SIGTERM, SIGINT (Ctrl-C) and SIGHUP end the step and write a checkpoint; the exit code is 128 and the signal, 143 for SIGTERM.
A config is a Python program: training runs it. MMDUET_TRACEBACK=1 shows where an error came from.
"""
import argparse
from functools import partial
from typing import TYPE_CHECKING

from mmduet.cli import common, running

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_data_flags(parser)
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='continue a training: from CHECKPOINT, or from the last complete one in the work folder')
    parser.add_argument('--resume-changed', action='store_true',
                        help='with --resume: take rate, schedule, batch, data and model of the config where they differ from '
                             'those of the checkpoint, which is refused otherwise')
    parser.add_argument('--load-from', metavar='CHECKPOINT', help='start from the weights of a checkpoint')
    common.add_splits_flag(parser, 'splits to train on', '--train-splits')
    common.add_splits_flag(parser, 'splits to validate on', '--val-splits')
    common.add_splits_flag(parser, 'splits to test on, for the config kept in the work folder', '--test-splits')
    parser.add_argument('--amp', choices=common.AMP,
                        help='mixed precision; auto takes what fits the machine, fp16 needs a GPU')
    parser.add_argument('--ema', action='store_true', help='evaluate and save a moving average of the weights')
    parser.add_argument('--batch-size', type=common.positive, metavar='N', help='expressions of a step on each process (card)')
    parser.add_argument('--lr', type=common.positive_number, metavar='X',
                        help='learning rate, taken as it is; with --auto-scale-lr for base_batch_size expressions an update')
    parser.add_argument('--accumulate', type=common.positive, metavar='N',
                        help='sum the gradients of N steps before an update')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate by the expressions of an update over base_batch_size of the config')
    parser.add_argument('--seed', type=int, help='of weights, order and augmentation')
    parser.add_argument('--max-iters', type=common.positive, metavar='N',
                        help='stop after N steps in total and write a checkpoint')
    parser.add_argument('--max-epochs', type=common.positive, metavar='N',
                        help='epochs in total; the schedule is stretched to them')
    parser.set_defaults(validate=_validate)


def _validate(args: argparse.Namespace) -> None:
    if args.resume is not None and args.load_from is not None:
        raise argparse.ArgumentTypeError('--resume continues a training, --load-from starts one: give one of them')
    if args.resume_changed and args.resume is None:
        raise argparse.ArgumentTypeError('--resume-changed says what --resume may take: give both')


def configure(args: argparse.Namespace, said: list[str] | None = None) -> 'Config':
    """The config with all changes of the command line; what a flag changed besides its own key is added to ``said``."""
    from mmduet.engine import config_tools
    from mmduet.engine.schedule_length import set_epochs
    cfg = common.load(args)
    for loader, splits in (('train', args.train_splits), ('val', args.val_splits), ('test', args.test_splits)):
        if splits:
            config_tools.set_splits(cfg, f'{loader}_dataloader', splits)
    if args.resume is not None:
        cfg.resume, cfg.load_from = True, None if args.resume == 'auto' else args.resume
        cfg.resume_changed = args.resume_changed or cfg.get('resume_changed', False)
    if args.load_from is not None:
        cfg.load_from = args.load_from
    if args.seed is not None:
        cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': args.seed}
    if args.max_iters is not None:
        cfg.train_cfg.max_iters = args.max_iters
    if args.max_epochs is not None:
        sentence = set_epochs(cfg, args.max_epochs, list(config_tools.parse_options(args.cfg_options)))
        if sentence is not None and said is not None:
            said.append(f'--max-epochs: {sentence}')
    _configure_optimization(cfg, args)
    return cfg


def _configure_optimization(cfg: 'Config', args: argparse.Namespace) -> None:
    from mmduet.engine import config_tools
    if args.amp is not None:
        cfg.optim_wrapper.update(type='mmduet.MixedPrecisionOptimWrapper', dtype=args.amp)
    if args.accumulate is not None:
        cfg.optim_wrapper.accumulative_counts = args.accumulate
    if args.batch_size is not None:
        config_tools.set_batch_size(cfg, args.batch_size)
    if args.auto_scale_lr:
        config_tools.enable_auto_scale_lr(cfg)
    if args.lr is not None:
        config_tools.set_rate(cfg, args.lr, scaled=args.auto_scale_lr)
    if args.ema:
        config_tools.add_average(cfg)


def run(args: argparse.Namespace) -> int:
    """Train; 128 and the number of the signal that ended it before its time."""
    from mmduet.engine.stop_signals import TrainingStopped
    from mmduet.engine.type_check import naming_unknown_types
    said: list[str] = []
    cfg = configure(args, said)
    runner = common.build_runner(cfg)
    for sentence in said:
        runner.logger.warning(sentence)
    # Data, optimizer and schedule are built when training starts.
    try:
        with naming_unknown_types(cfg):
            runner.train()
    except TrainingStopped:
        return int(runner.signals.exit_code)
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
