#!/usr/bin/env python
"""Take the open_clip model out of a checkpoint of ``CLIPPretrainer``, in half precision.

python tools/model_converters/export_clip.py work_dirs/clip_tiny_refshapes/iter_1200.pth clip_tiny_refshapes.safetensors
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

PREFIX = 'clip.'


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint of the pretrainer (.pth)')
    parser.add_argument('out', type=Path, help='file to write (.safetensors); open_clip and CLIPTeacher load it')
    return parser.parse_args()


def main() -> int:
    """Write the weights; 1 with one sentence on standard error if that cannot be done."""
    arguments = parse_arguments()
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
        print(error, file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights)
    numbers = sum(value.numel() for value in weights.values())
    print(f'{arguments.out}: {len(weights)} tensors, {numbers} numbers, {arguments.out.stat().st_size / 1e6:.2f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
