#!/usr/bin/env python
"""Turn a checkpoint of another project into a safetensors file in our layout.

python tools/model_converters/convert_checkpoint.py TransVG_unc_R50.pth checkpoints/transvg_r50_unc.safetensors
python tools/model_converters/convert_checkpoint.py VLTVG_unc_R50.pth checkpoints/vltvg_r50_unc.safetensors
python tools/model_converters/convert_checkpoint.py CLIP_VG_unc.pth checkpoints/clip_vg_unc.safetensors
python tools/model_converters/convert_checkpoint.py QRNet_unc.pth checkpoints/qrnet_unc.safetensors
python tools/model_converters/convert_checkpoint.py detr-r50-unc.pth checkpoints/detr_r50_unc.safetensors
python tools/model_converters/convert_checkpoint.py mask_rcnn_swin_small.pth checkpoints/mask_rcnn_swin_small.safetensors
python tools/model_converters/convert_checkpoint.py open_clip_model.safetensors checkpoints/clip_vit_b16.safetensors
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

LAYOUT_NAMES = ('transvg', 'vltvg', 'qrnet', 'clip_vg', 'detr', 'swin_mask_rcnn', 'open_clip')


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='checkpoint of another project (.pth, .pt, .safetensors)')
    parser.add_argument('out', type=Path, help='file to write (.safetensors)')
    parser.add_argument('--model', '--layout', dest='layout', default='auto', choices=['auto', *LAYOUT_NAMES],
                        help='whose names the source has')
    parser.add_argument('--config', help='also check that every name and shape fits the model of this config')
    return parser.parse_args()


def check_against(config_file: str | Path, weights: dict, source: Path) -> None:
    """Refuse weights whose parts do not fit the model of a config; nothing of the model is fetched or allocated."""
    import torch
    from mmengine.config import Config

    from mmduet.engine.config_tools import drop_pretrained
    from mmduet.models.distill import student_of
    from mmduet.models.weights import require_fit
    from mmduet.registry import MODELS

    config = Config.fromfile(config_file)
    drop_pretrained(config)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    require_fit(student_of(model), weights, source)


def fitting_configs(layout: str, weights: dict, source: Path) -> str:
    """The sentence that says which configs of a layout's folder fit the weights."""
    from mmduet.io.files import CONFIGS
    folder = CONFIGS / layout
    if not folder.is_dir():  # of weights that only start a student
        return f'It is a {layout} checkpoint.'
    fitting = []
    for file in sorted(folder.glob('*.py')):
        try:
            check_against(file, weights, source)
        except ValueError:
            continue
        fitting.append(str(file.relative_to(CONFIGS.parent)))
    fits = f'{", ".join(fitting)} would fit it' if fitting else f'no config of configs/{layout} fits it'
    return f'It is a {layout} checkpoint; {fits}.'


def main() -> int:
    """Convert, check, write; 1 with one sentence on standard error if that cannot be done."""
    arguments = parse_arguments()
    from mmduet.io.files import find_file
    from mmduet.io.safetensors_files import write_safetensors
    from mmduet.io.weights import read_weights
    from mmduet.models.conversion import LAYOUTS, convert, recognise
    try:
        if arguments.out.suffix != '.safetensors':
            raise ValueError(f'{arguments.out}: the output must end in .safetensors')
        source = read_weights(find_file(arguments.source))
        layout = recognise(source) if arguments.layout == 'auto' else LAYOUTS[arguments.layout]
        weights = {key: value.clone().contiguous() for key, value in convert(source, layout).items()}
        if arguments.config:
            try:
                check_against(arguments.config, weights, arguments.source)
            except ValueError as error:
                raise ValueError(f'{error}. {fitting_configs(layout.name, weights, arguments.source)}') from error
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(arguments.out, weights, {'source_layout': layout.name})
    numbers = sum(value.numel() for value in weights.values())
    print(f'{arguments.source} ({layout.name}) -> {arguments.out}: {len(weights)} tensors, {numbers / 1e6:.1f} M numbers')
    return 0


if __name__ == '__main__':
    sys.exit(main())
