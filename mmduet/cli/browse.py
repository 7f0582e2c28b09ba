"""Draw training samples before and after augmentation, with their expressions; a mirrored one shows its rewritten words.

    mmduet browse transvg_duet_refcoco --out samples.jpg --count 12 --epoch 3

    mmduet browse transvg_duet_refcoco --cfg-options train_dataloader.dataset.first=100

Left the image as it is, right as the model gets it, targets green. Seed, epoch and index decide a sample, as in training. A
split without targets, as RefShapes' absent, is drawn as a test gets it.
"""
import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmduet.cli import common, running
from mmduet.io.text import counted

TILE, GAP, TEXT = 360, 10, 46
GREEN, PAPER, INK = (0, 170, 60), (255, 255, 255), (20, 20, 20)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_config_flags(parser)
    parser.add_argument('--out', type=Path, default=Path('samples.jpg'), help='image to write (default: %(default)s)')
    common.add_splits_flag(parser, 'splits to draw instead of those of the config')
    parser.add_argument('--count', type=int, default=12, help='how many samples, evenly from the whole (default: %(default)s)')
    parser.add_argument('--seed', type=common.not_negative, default=0, help="the run's")
    parser.add_argument('--epoch', type=common.not_negative, default=0, help='whose augmentations')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.out])


def _validate(args: argparse.Namespace) -> None:
    if args.count < 1:
        raise argparse.ArgumentTypeError('--count must be positive')
    if args.out.suffix.lower() not in ('.jpg', '.jpeg', '.png'):
        raise argparse.ArgumentTypeError(f'--out must end in .jpg or .png, got {args.out}')


def draw_tile(image: np.ndarray[Any, Any], box: Sequence[float] | None, caption: str) -> Image.Image:
    """An image (h, w, 3), its target in its pixels, None where it has none, and words under it, as wide as a tile."""
    scale = TILE / image.shape[1]
    height = round(image.shape[0] * scale)
    tile = Image.new('RGB', (TILE, height + TEXT), PAPER)
    tile.paste(Image.fromarray(image).resize((TILE, height)))
    draw = ImageDraw.Draw(tile)
    if box is not None:
        draw.rectangle([value * scale for value in box], outline=GREEN, width=3)
    font = ImageFont.load_default(15)
    words, lines = caption.split(), ['']
    for word in words:
        longer = f'{lines[-1]} {word}'.strip()
        lines = [*lines[:-1], longer] if font.getlength(longer) <= TILE else [*lines, word]
    draw.multiline_text((0, height + 4), '\n'.join(lines[:2]), fill=INK, font=font)
    return tile


def annotation_of(dataset: Any, index: int) -> Any:
    """The annotation of an expression of a data set, or of what a joint one keeps of it."""
    from torch.utils.data import Subset
    while isinstance(dataset, Subset):
        dataset, index = dataset.dataset, dataset.indices[index]
    return dataset.annotations[index]


def draw_pair(annotation: Any, packed: Any) -> Image.Image:
    """Image and augmented sample of one expression side by side."""
    from mmduet.datasets import read_image
    sample = packed['data_samples']
    canvas = sample.canvas
    scale = np.array([canvas.scale_x, canvas.scale_y] * 2)
    before = draw_tile(read_image(sample.img_path), annotation.box, annotation.expression)
    caption = f'{sample.text}{" [mirrored]" if sample.flip else ""}'
    target = sample.gt_instances.bboxes[0].numpy() * scale if 'gt_instances' in sample else None
    after = draw_tile(packed['inputs'].permute(1, 2, 0).numpy(), target, caption)
    pair = Image.new('RGB', (2 * TILE + GAP, max(before.height, after.height)), PAPER)
    pair.paste(before)
    pair.paste(after, (TILE + GAP, 0))
    return pair


def stack(pairs: Sequence[Image.Image], columns: int = 2) -> Image.Image:
    """Pairs in columns, row by row."""
    rows = [pairs[start:start + columns] for start in range(0, len(pairs), columns)]
    heights = [max(pair.height for pair in row) for row in rows]
    width = min(columns, len(pairs)) * (2 * TILE + 3 * GAP) + GAP
    sheet = Image.new('RGB', (width, sum(heights) + GAP * (len(rows) + 1)), PAPER)
    for number, row in enumerate(rows):
        top = GAP * (number + 1) + sum(heights[:number])
        for column, pair in enumerate(row):
            sheet.paste(pair, (GAP + column * (2 * TILE + 3 * GAP), top))
    return sheet


def lacks_targets(root: Path, splits: Sequence[str]) -> bool:
    """Whether an expression of some splits of a data root is true of nothing, so that no training takes it."""
    from mmduet.datasets.annotation_file import annotation_lines, parse_annotation
    from mmduet.datasets.manifest import split_files
    if not (root / 'manifest.json').is_file():
        return False
    return any(parse_annotation(line, where).box is None for path in split_files(root, splits).values()
               for where, line in annotation_lines(path))


def run(args: argparse.Namespace) -> int:
    """Draw; returns the exit code."""
    from mmduet.engine import config_tools
    from mmduet.engine.host_options import refuse_wrapper
    from mmduet.io.files import replacing
    from mmduet.registry import DATASETS
    cfg = common.read_config(args)
    if args.splits:
        config_tools.set_splits(cfg, 'train_dataloader', args.splits)
    described = cfg.train_dataloader.dataset
    if args.splits and lacks_targets(Path(described.get('data_root', '')), args.splits):
        described = {**cfg.test_dataloader.dataset, 'data_root': described.data_root, 'splits': args.splits}
    refuse_wrapper('train_dataloader', described)
    built = DATASETS.build(described)
    built.set_seed(args.seed)
    built.set_epoch(args.epoch)
    parts = getattr(built, 'datasets', [built])
    share = -(-args.count // len(parts))
    pairs, start = [], 0
    for part in parts:
        drawn = np.unique(np.linspace(0, len(part) - 1, share).round().astype(int)).tolist()
        pairs += [draw_pair(annotation_of(part, index), built[start + index]) for index in drawn]
        start += len(part)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = stack(pairs)
    with replacing(args.out) as part:
        sheet.save(part, format=Image.registered_extensions()[args.out.suffix.lower()])
    print(f'{counted(len(pairs), "sample")} of {len(built):,} in {args.out}')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
