"""Turn a checkpoint of another project into a safetensors file in our layout.

    mmduet convert TransVG_unc_R50.pth checkpoints/transvg_r50_unc.safetensors
    mmduet convert VLTVG_R50_unc.pth checkpoints/vltvg_r50_unc.safetensors
    mmduet convert CLIP_VG_unc.pth checkpoints/clip_vg_unc.safetensors
    mmduet convert QRNet_unc.pth checkpoints/qrnet_unc.safetensors
    mmduet convert detr-r50-unc.pth checkpoints/detr_r50_unc.safetensors
    mmduet convert mask_rcnn_swin_small.pth checkpoints/mask_rcnn_swin_small.safetensors
    mmduet convert open_clip_model.safetensors checkpoints/clip_vit_b16.safetensors
"""
import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmduet.cli import common, running

if TYPE_CHECKING:
    from mmengine.config import Config

LAYOUT_NAMES = ('transvg', 'vltvg', 'qrnet', 'clip_vg', 'detr', 'swin_mask_rcnn', 'open_clip')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('source', type=Path, help='checkpoint of another project (.pth, .pt, .safetensors)')
    parser.add_argument('out', type=Path, help='file to write (.safetensors)')
    parser.set_defaults(writes=lambda arguments: [arguments.out], reads=lambda arguments: [arguments.source])
    parser.add_argument('--model', '--layout', dest='layout', default='auto', choices=['auto', *LAYOUT_NAMES],
                        help='whose names the source has')
    parser.add_argument('--config', help='also check that every name and shape fits the model of this config')
    common.add_change_flags(parser)
    parser.set_defaults(validate=common.refuse_lone_changes)


def check_against(config: 'Config', weights: dict[str, Any], source: Path) -> None:
    """Refuse weights whose parts do not fit the model of a config; nothing of the model is fetched or allocated."""
    import torch

    from mmduet.engine.config_tools import drop_pretrained
    from mmduet.models.distill import student_of
    from mmduet.models.weights import require_fit
    from mmduet.registry import MODELS

    drop_pretrained(config)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    require_fit(student_of(model), weights, source)


def fitting_configs(layout: str, weights: dict[str, Any], source: Path) -> str:
    """The sentence that says which configs of a layout's folder fit the weights."""
    from mmduet.engine.config_tools import load_config
    from mmduet.io.files import CONFIGS
    folder = CONFIGS / layout
    if not folder.is_dir():  # of weights that only start a student
        return f'It is a {layout} checkpoint.'
    fitting = []
    for file in sorted(folder.glob('*.py')):
        try:
            check_against(load_config(file), weights, source)
        except ValueError:
            continue
        fitting.append(str(file.relative_to(CONFIGS.parent)))
    fits = f'{", ".join(fitting)} would fit it' if fitting else f'no config of configs/{layout} fits it'
    return f'It is a {layout} checkpoint; {fits}.'


def run(arguments: argparse.Namespace) -> int:
    """Convert, check, write; 1 with one sentence on standard error if that cannot be done."""
    from mmduet.io.files import find_file
    from mmduet.io.safetensors_files import write_safetensors
    from mmduet.io.weights import read_weights
    from mmduet.models.conversion import LAYOUTS, convert, recognise
    try:
        if arguments.out.suffix != '.safetensors':
            raise ValueError(f'{arguments.out}: the output must end in .safetensors')
        config = common.changed_config(arguments)
        source = read_weights(find_file(arguments.source))
        layout = recognise(source) if arguments.layout == 'auto' else LAYOUTS[arguments.layout]
        weights = {key: value.clone().contiguous() for key, value in convert(source, layout).items()}
        if config is not None:
            try:
                check_against(config, weights, arguments.source)
            except ValueError as error:
                raise ValueError(f'{error}. {fitting_configs(layout.name, weights, arguments.source)}') from error
    except (ValueError, FileNotFoundError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights, {'source_layout': layout.name})
    numbers = sum(value.numel() for value in weights.values())
    print(f'{arguments.source} ({layout.name}) -> {arguments.out}: {len(weights)} tensors, {numbers / 1e6:.1f} M numbers')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
