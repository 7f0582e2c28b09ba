#!/usr/bin/env python
"""Measure what samplers of regions draw for the contrast of a distilled config, and draw the regions on the images.

    python projects/ablation/browse_regions.py configs/duet/transvg_duet_cached_refshapes.py --patch ranked
    python projects/ablation/browse_regions.py CONFIG --patch ranked --samplers SLASampler,RandomSampler --out x.jpg

Batches are those of training, and the teacher encodes them as in training; nothing is learnt. Of a ranked contrast, how far
semantics move the labels is printed too. On the sheet the target is green,
positives are blue and negatives red.
"""
import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mmduet.cli import common, running

if TYPE_CHECKING:
    from projects.ablation.region_facts import RegionFacts

SAMPLERS = ['SLASampler', 'LocationSampler', 'SemanticsSampler', 'DistractorSampler', 'RandomSampler']
TILE, GAP, COLUMNS, CAPTION = 240, 8, 4, 34
PAPER, INK, GREEN, BLUE, RED = (255, 255, 255), (20, 20, 20), (0, 170, 60), (40, 90, 220), (220, 60, 40)
COLUMNS_OF_TABLE = {
    'positives': 'positives per image', 'positive_iou': 'their IoU', 'negatives': 'negatives per image',
    'negative_iou': 'their IoU', 'on_objects': 'on another object, %', 'objects_drawn': 'other objects drawn, %',
    'positive_similarity': 'similarity of positives', 'negative_similarity': 'of negatives',
    'above_target': 'above the target, %'}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_data_flags(parser)
    parser.add_argument('--samplers', type=common.names, default=SAMPLERS, metavar='A,B',
                        help=f"samplers to compare, with the settings of the config's (default: {','.join(SAMPLERS)})")
    parser.add_argument('--batches', type=common.positive, default=50, metavar='N', help='batches to draw for (default: 50)')
    parser.add_argument('--out', type=Path, help='draw the regions of the first sampler for the first expressions there')
    parser.add_argument('--count', type=common.positive, default=8, metavar='N', help='expressions to draw (default: 8)')
    args = parser.parse_args(arguments)
    if args.out is not None and args.out.suffix.lower() not in ('.jpg', '.jpeg', '.png'):
        parser.error(f'--out must end in .jpg or .png, got {args.out}')
    return args


def swap_sampler(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The config of another sampler with the settings that it shares with the one that is there."""
    from mmduet.engine.config_tools import ConfigError
    from mmduet.models.task_modules import RegionSampler
    from mmduet.registry import TASK_UTILS
    kind = TASK_UTILS.get(name)
    if not (isinstance(kind, type) and issubclass(kind, RegionSampler)):
        raise ConfigError(f'--samplers: there is no sampler {name}; there are {", ".join(SAMPLERS)}')
    known = {field.name for field in fields(kind)}
    return {'type': kind, **{key: value for key, value in config.items() if key in known}}


def browse(args: argparse.Namespace) -> None:
    """Draw, count and print."""
    import torch
    from mmengine.device import get_device
    from mmengine.registry import MODELS, DefaultScope
    from mmengine.runner import Runner

    from mmduet.engine.config_tools import ConfigError
    from mmduet.models.distill import RankedContrastTerm
    from mmduet.models.distill.terms.sampling import propose_regions
    from mmduet.registry import TASK_UTILS
    from projects.ablation.label_facts import LabelFacts
    from projects.ablation.region_facts import RegionFacts
    cfg = common.load(args)
    terms = (cfg.model.get('head') or {}).get('terms') or {}
    name = next((name for name, term in terms.items() if term is not None and 'sampler' in term), None)
    if name is None:
        raise ConfigError(f'{args.config} has no head with a term that samples regions: try --patch ranked')
    # Whichever sampler draws, the targets required of the teacher are those of one by semantics: its facts need them all.
    configured = dict(terms[name].sampler)
    terms[name].sampler = swap_sampler(configured, SAMPLERS[0])
    with common.building(cfg), DefaultScope.overwrite_default_scope('mmduet'):
        model = MODELS.build(cfg.model).to(get_device())
        samplers = {sampler: TASK_UTILS.build(swap_sampler(configured, sampler)) for sampler in args.samplers}
    teacher, term, labels = model.head.teacher_of[name], model.head.terms[name], LabelFacts()
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    facts = {sampler: RegionFacts() for sampler in samplers}
    tiles: list[Any] = []
    with torch.no_grad():
        for step, data in zip(range(args.batches), loader, strict=False):
            batch = model.data_preprocessor(data, training=True)['batch']
            targets = model.teach(batch)[teacher]
            count_batch(samplers, facts, batch, targets, step)
            if isinstance(term, RankedContrastTerm):
                labels.add(term, propose_regions(term.sampler, targets, batch, step, None))
            if args.out is not None and len(tiles) < args.count:
                regions = sample(samplers[args.samplers[0]], targets, batch, step)
                tiles += draw_batch(regions, batch)
    print(format_table(facts))
    if labels.expressions:
        print(labels.describe())
    if args.out is not None:
        save_sheet(tiles[:args.count], args.out)
        print(f'{args.samplers[0]} drawn in {args.out}')


def sample(sampler: Any, targets: Any, batch: Any, step: int) -> Any:
    """The regions that a sampler draws where no prediction is known."""
    from mmduet.models.distill.terms.sampling import what_to_sample
    return sampler.sample(**what_to_sample(sampler, targets, batch, step, None))


def count_batch(samplers: dict[str, Any], facts: dict[str, 'RegionFacts'], batch: Any, targets: Any, step: int) -> None:
    """Let every sampler draw for a batch, and add what it drew to its facts."""
    from mmduet.models.distill.terms.sampling import pool_similarity
    from mmduet.structures import to_content

    def similarity(candidates: Any) -> Any:
        return pool_similarity(targets.similarity, to_content(candidates, batch.content, batch.size))

    for name, sampler in samplers.items():
        facts[name].add(sample(sampler, targets, batch, step), batch.target_boxes, batch.other_boxes, similarity)


def draw_batch(regions: Any, batch: Any) -> list[Any]:
    """A tile for each expression of a batch, with the regions that were drawn."""
    from PIL import Image, ImageDraw, ImageFont

    from mmduet.structures.boxes import cxcywh_to_xyxy
    tiles = []
    images = (batch.images() * 255).round().byte()
    for k, (owner, text) in enumerate(zip(batch.image_index.tolist(), batch.texts, strict=True)):
        canvas = batch.views[owner].canvas
        image = images[owner, :, canvas.top:canvas.top + canvas.height, canvas.left:canvas.left + canvas.width]
        side, scale = max(canvas.width, canvas.height), TILE / max(canvas.width, canvas.height)
        tile = Image.new('RGB', (TILE, TILE + CAPTION), PAPER)
        content = Image.fromarray(image.permute(1, 2, 0).numpy())
        tile.paste(content.resize((round(content.width * TILE / side), round(content.height * TILE / side))))
        draw = ImageDraw.Draw(tile)
        shown = [(box, RED, 1) for box, valid in zip(regions.negatives[k], regions.negative_valid[k], strict=True) if valid]
        shown += [(box, BLUE, 1) for box, drawn in zip(regions.positives[k], regions.positive_weight[k], strict=True) if drawn]
        for box, colour, width in [*shown, (batch.target_boxes[k], GREEN, 2)]:
            corners = cxcywh_to_xyxy(box) * canvas.size
            left, top, right, bottom = (float(value) * scale for value in (
                corners[0] - canvas.left, corners[1] - canvas.top, corners[2] - canvas.left, corners[3] - canvas.top))
            draw.rectangle((left, top, right, bottom), outline=colour, width=width)
        draw.text((0, TILE + 4), text[:36], fill=INK, font=ImageFont.load_default(13))
        tiles.append(tile)
    return tiles


def save_sheet(tiles: Sequence[Any], path: Path) -> None:
    """Write tiles in rows."""
    from PIL import Image
    columns, rows = min(COLUMNS, len(tiles)), -(-len(tiles) // COLUMNS)
    sheet = Image.new('RGB', (columns * (TILE + GAP) + GAP, rows * (TILE + CAPTION) + GAP), PAPER)
    for k, tile in enumerate(tiles):
        sheet.paste(tile, (GAP + k % COLUMNS * (TILE + GAP), GAP + k // COLUMNS * (TILE + CAPTION)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def format_table(facts: dict[str, 'RegionFacts']) -> str:
    """A row for each sampler."""
    lines = [f'| sampler | {" | ".join(COLUMNS_OF_TABLE.values())} |', '| --- |' + ' ---: |' * len(COLUMNS_OF_TABLE)]
    for name, fact in facts.items():
        means = fact.means()
        cells = [f'{100 * means[key]:.1f}' if title.endswith('%') else f'{means[key]:.2f}'
                 for key, title in COLUMNS_OF_TABLE.items()]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join([*lines, f'over {next(iter(facts.values())).images:.0f} expressions'])


def main() -> None:
    """Browse."""
    args = parse_args()
    running.set_threads()
    running.run(lambda: browse(args))


if __name__ == '__main__':
    main()
