"""Take the open_clip model out of a checkpoint of ``CLIPPretrainer``, in half precision.

    mmduet export-clip work_dirs/clip_tiny_refshapes/iter_1200.pth clip_tiny_refshapes.safetensors
"""
import argparse
import sys
from functools import partial
from pathlib import Path

from mmduet.cli import running

PREFIX = 'clip.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint of the pretrainer (.pth)')
    parser.add_argument('out', type=Path, help='file to write (.safetensors); open_clip and CLIPTeacher load it')
    parser.set_defaults(writes=lambda arguments: [arguments.out], reads=lambda arguments: [arguments.checkpoint])


def run(arguments: argparse.Namespace) -> int:
    """Write the weights; 1 with one sentence on standard error if that cannot be done."""
    from mmduet.engine.checkpoint import CheckpointError, read_checkpoint
    from mmduet.io.safetensors_files import write_safetensors
    try:
        if arguments.out.suffix != '.safetensors':
            raise ValueError(f'{arguments.out}: the output must end in .safetensors')
        state = read_checkpoint(arguments.checkpoint)['state_dict']
        weights = {key.removeprefix(PREFIX): value.half().contiguous() for key, value in state.items()
                   if key.startswith(PREFIX)}
        if not weights:
            raise ValueError(f'{arguments.checkpoint} holds no weights under {PREFIX!r}: it is not of a CLIPPretrainer')
    except (ValueError, FileNotFoundError, CheckpointError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights)
    numbers = sum(value.numel() for value in weights.values())
    print(f'{arguments.out}: {len(weights)} tensors, {numbers} numbers, {arguments.out.stat().st_size / 1e6:.2f} MB')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
