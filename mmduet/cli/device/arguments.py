"""Flags of ``mmduet benchmark`` about a card, and which of them exclude others; imports nothing heavy."""
import argparse

from mmduet.cli import common, useless_flags

BATCH_SIZES, NUMBERS = (64, 128), (1, 4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    group = parser.add_argument_group('what a card does')
    group.add_argument('--device', choices=('cuda', 'cpu'),
                       help='measure this device instead of one step: training and prediction by every way of making them '
                            'fast, and what a training relies on (bf16 against fp32, fp16, a process group, the slowest '
                            'kernels)')
    group.add_argument('--minutes', type=common.positive_number, default=15.0, metavar='N',
                       help='with --device: what no longer fits into them is left out, and said (default: %(default)g)')
    group.add_argument('--batch-sizes', type=common.positive, nargs='+', action='extend', default=[], metavar='N',
                       help='with --device: expressions of a step (default: 64 128)')
    group.add_argument('--on-paper', action='store_true',
                       help='measure no step: count one, and say what 1, 8 and 64 cards could do at most')
    group.add_argument('--list-wheels', action='store_true',
                       help='name the packages that a machine with PyTorch, transformers and timm needs for --device')


def is_asked(args: argparse.Namespace) -> bool:
    """Whether the command is about a card."""
    return args.device is not None or args.on_paper or args.list_wheels


def check(args: argparse.Namespace) -> None:
    """Refuse flags that what is asked for would not read."""
    step = 'batch_size teacher_cache expressions padding predict_only balance'
    if args.list_wheels:
        useless_flags.refuse(args, f'{step} device on_paper minutes batch_sizes steps amp expressions_per_image json',
                             '--list-wheels measures nothing')
    elif args.on_paper:
        useless_flags.refuse(args, f'{step} device minutes batch_sizes steps amp', 'with --on-paper no step is timed')
    elif args.device is not None:
        useless_flags.refuse(args, step, '--device measures by its own plan, in batches of --batch-sizes')
    else:
        useless_flags.refuse(args, 'minutes batch_sizes', 'they are of --device')
