"""Make a folder that travels of a checkpoint: config, weights, vocabulary and model card.

    mmduet publish work_dirs/transvg_duet_refcoco/best_acc@0.5_epoch_80.pth my_model
    mmduet publish CHECKPOINT my_model --half --notice 'Trained on our own photos of parts; knows nothing else.'

The folder is for GroundingInferencer('my_model'), mmduet predict and push_to_hub. Of a distilled checkpoint the student alone
is written. For a score, calibrate the checkpoint first.
"""
import argparse
from functools import partial
from pathlib import Path

from mmduet.cli import common, running


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('checkpoint', help='checkpoint, or whatever else GroundingInferencer takes')
    parser.add_argument('folder', type=Path, help='folder to write; a README.md that is there stays')
    common.add_checkpoint_config_flags(parser)
    common.add_hub_flags(parser)
    parser.add_argument('--half', action='store_true', help='store float16, in half the room; it still computes in float32')
    parser.set_defaults(validate=common.refuse_lone_changes,
                        writes=lambda args: [args.folder / name for name in ('config.json', 'model.safetensors')])
    parser.add_argument('--notice', help='one sentence that everybody must know who uses it, said when it is loaded')


def run(args: argparse.Namespace) -> int:
    """Write the folder."""
    from dataclasses import replace

    from mmduet.apis import PretrainedGrounder
    common.import_own(args)
    config = common.changed_config(args)
    grounder = PretrainedGrounder.from_pretrained(args.checkpoint, config=config, **common.hub_options(args))
    if args.notice is not None:
        grounder.description = replace(grounder.description, notice=' '.join(args.notice.split()))
    if args.half:
        grounder.student.half()
    grounder.save_pretrained(args.folder)
    size = sum(file.stat().st_size for file in args.folder.iterdir() if file.is_file())
    print(f'{args.folder}: {type(grounder.student).__name__}, {size / 1e6:.2f} MB')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
