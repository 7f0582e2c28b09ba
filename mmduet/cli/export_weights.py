"""Publish one part of a checkpoint of ours as a safetensors file: the student, or a part of it.

    mmduet export-weights work_dirs/transvg_duet_refcoco/best.pth transvg.safetensors --prefix student.
    mmduet export-weights CHECKPOINT visual_encoder.safetensors --keep visual_encoder.
"""
import argparse
import sys
from functools import partial

from mmduet.cli import common, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('checkpoint', type=common.checkpoint_file,
                        help='checkpoint written by mmduet train, or a folder of save_pretrained')
    parser.add_argument('out', type=common.file_ending('.safetensors'), help='file to write (.safetensors)')
    parser.set_defaults(writes=lambda arguments: [arguments.out], reads=lambda arguments: [arguments.checkpoint])
    parser.add_argument('--prefix', default='', help='take keys that begin so, and strip it')
    parser.add_argument('--keep', default='', help='of those, keep keys that begin so, and do not strip it')
    parser.add_argument('--half', action='store_true', help='store float16')


def run(arguments: argparse.Namespace) -> int:
    """Export; 1 with one sentence on standard error if that cannot be done."""
    from torch import Tensor

    from mmduet.engine.checkpoint import CheckpointError, read_checkpoint
    from mmduet.io.safetensors_files import write_safetensors
    try:
        state = read_checkpoint(arguments.checkpoint)['state_dict']
    except (CheckpointError, FileNotFoundError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    stripped = {key.removeprefix(arguments.prefix): value for key, value in state.items() if key.startswith(arguments.prefix)}
    weights = {key: value.clone().contiguous() for key, value in stripped.items()
               if isinstance(value, Tensor) and key.startswith(arguments.keep)}
    if not weights:
        print(f'error: {arguments.checkpoint} has no key under {arguments.prefix}{arguments.keep}', file=sys.stderr)
        return 1
    if arguments.half:
        weights = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights)
    print(f'{arguments.out}: {len(weights)} tensors, {arguments.out.stat().st_size / 1e6:.2f} MB')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
