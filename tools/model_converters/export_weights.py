#!/usr/bin/env python
"""Publish one part of a checkpoint of ours as a safetensors file: the student, or a part of it.

python tools/model_converters/export_weights.py work_dirs/transvg_duet_refcoco/best.pth transvg.safetensors --prefix student.
python tools/model_converters/export_weights.py CHECKPOINT visual_encoder.safetensors --keep visual_encoder.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint written by tools/train.py')
    parser.add_argument('out', type=Path, help='file to write (.safetensors)')
    parser.add_argument('--prefix', default='', help='take keys that begin so, and strip it')
    parser.add_argument('--keep', default='', help='of those, keep keys that begin so, and do not strip it')
    parser.add_argument('--half', action='store_true', help='store float16')
    return parser.parse_args()


def main() -> int:
    """Export; 1 with one sentence on standard error if that cannot be done."""
    arguments = parse_arguments()
    from torch import Tensor

    from mmduet.engine.checkpoint import CheckpointError, read_checkpoint
    from mmduet.io.safetensors_files import write_safetensors
    try:
        state = read_checkpoint(arguments.checkpoint)['state_dict']
    except (CheckpointError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    stripped = {key.removeprefix(arguments.prefix): value for key, value in state.items() if key.startswith(arguments.prefix)}
    weights = {key: value.clone().contiguous() for key, value in stripped.items()
               if isinstance(value, Tensor) and key.startswith(arguments.keep)}
    if not weights:
        print(f'{arguments.checkpoint} has no key under {arguments.prefix}{arguments.keep}', file=sys.stderr)
        return 1
    if arguments.half:
        weights = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights)
    print(f'{arguments.out}: {len(weights)} tensors, {arguments.out.stat().st_size / 1e6:.2f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
