"""Measure what the teacher of a config tells apart, on a split as it is trained on; or write the mean of its embeddings.

    mmduet analyse-teacher transvg_duet_refshapes --splits val
    mmduet analyse-teacher transvg_duet_refshapes --splits val --compare-views
    mmduet analyse-teacher transvg_duet_refshapes --splits train --centre FILE

A choice is right where, of the target and the other annotated boxes of its image, the target is most like the expression. The
relation is measured over batches of 64: how far its target is from uniform, and minus the log likelihood of the matching pairs.
"""
import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmduet.cli import cache_teacher, common, running, useless_flags
from mmduet.io.errors import DataError

BATCH = 64
EMBEDDINGS = ('text', 'region', 'image')
COMPARED = (('CropView', ), ('DimmedView', ), ('BlurredView', ), ('MarkedView', ), ('PatchView', ), ('CropView', 'DimmedView'),
            ('CropView', 'BlurredView'), ('CropView', 'MarkedView'), ('CropView', 'PatchView'))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    common.add_model_flags(parser)
    parser.add_argument('--teacher', metavar='NAME', help='which teacher, where the config names several')
    common.add_splits_flag(parser, 'of the data that the config trains on (default: val)', default=('val', ))
    parser.add_argument('--samples', type=common.positive, default=2048, help='expressions, drawn with a fixed seed')
    parser.add_argument('--compare-views', action='store_true', help='show regions in several ways, one after the other')
    parser.add_argument('--centre', type=Path, metavar='FILE', help='write the means there, for `teacher.centre`')
    parser.set_defaults(validate=_validate, writes=lambda args: [args.centre])


def _validate(args: argparse.Namespace) -> None:
    if args.centre is not None:
        useless_flags.refuse(args, 'compare_views', 'with --centre nothing is measured')


def read_batches(cfg: Any, splits: Sequence[str], samples: int) -> Iterator[Any]:
    """Batches of the same expressions at every call, on the device."""
    import torch
    from mmengine.device import get_device
    from torch.utils.data import ConcatDataset

    from mmduet.datasets import grounding_collate
    from mmduet.models import GroundingDataPreprocessor
    torch.manual_seed(0)
    dataset: ConcatDataset[Any] = ConcatDataset([dataset for dataset, _ in cache_teacher.build_datasets(cfg, splits)])
    chosen = torch.randperm(len(dataset))[:samples // BATCH * BATCH].tolist()
    if not chosen:
        raise DataError(f'{", ".join(splits)}: {len(dataset)} expressions, and a batch takes {BATCH}')
    preprocessor = GroundingDataPreprocessor().to(get_device())
    for start in range(0, len(chosen), BATCH):
        yield preprocessor(grounding_collate([dataset[index] for index in chosen[start:start + BATCH]]), True)['batch']


def relate(texts: Any, regions: Any, scale: Any) -> tuple[float, float]:
    """Nats from uniform, and minus the log likelihood of the matching pairs, over rows and columns of each batch."""
    import torch
    logits = scale * torch.einsum('nid,njd->nij', regions.unflatten(0, (-1, BATCH)), texts.unflatten(0, (-1, BATCH)))
    ways = [logits.log_softmax(axis) for axis in (1, 2)]
    nats = sum((way.exp() * way).sum() for way in ways) / (2 * logits.shape[0] * BATCH) + math.log(BATCH)
    matching = sum(way.diagonal(dim1=1, dim2=2).mean() for way in ways) / 2
    return float(nats), -float(matching)


def choose(teacher: Any, batches: Iterable[Any], kept: dict[str, list[Any]]) -> str:
    """Percentages: right choices of all expressions, of those that name a position, and of the others."""
    import torch

    from mmduet.datasets.transforms.direction_words import names_a_position
    right, positions, chance = [], [], []
    for batch in batches:
        given = teacher(batch, {*EMBEDDINGS, 'others'})
        for name in EMBEDDINGS:
            kept.setdefault(name, []).append(given.get(name))
        candidates = torch.cat([given.region[:, None], given.others], dim=1)
        cosines = torch.einsum('bkd,bd->bk', candidates, given.text)
        cosines[:, 1:][~batch.has_other] = -2
        right.append(cosines.argmax(dim=1) == 0)
        chance.append(1 / (1 + batch.has_other.sum(dim=1)))
        positions += [names_a_position(text) for text in batch.texts]
    found, named = torch.cat(right).float(), torch.tensor(positions, device=right[0].device)
    parts = (found, found[named], found[~named], torch.cat(chance))
    return ''.join(f'{100 * part.mean().item():9.1f}' if len(part) else f'{"-":>9}' for part in parts)


def analyse(teacher: Any, read: Callable[[], Iterable[Any]], compare: bool) -> None:
    """Print the choices of a teacher, and its relation."""
    import torch

    from mmduet.registry import TASK_UTILS
    print(f'{"right choices in percent":34}{"all":>9}{"position":>9}{"no posit.":>9}{"chance":>9}')
    for names in COMPARED if compare else [()]:
        if names:
            teacher.views = [TASK_UTILS.build(dict(type=f'mmduet.{name}')) for name in names]
        kept: dict[str, list[Any]] = {}
        print(f'{" + ".join(names) or "as in the config":34}' + choose(teacher, read(), kept), flush=True)
    if compare:
        return
    found = {name: torch.cat(values) for name, values in kept.items()}
    nats, unlikely = relate(found['text'], found['region'], teacher.logit_scale)
    print(f'relation: {nats:.3f} nats from uniform, matching pairs {unlikely:.3f}, at a logit scale of '
          f'{teacher.logit_scale.item():.2f}')
    for name, value in found.items():
        print(f'{name}: a constant answer loses {1 - (value @ value.mean(dim=0)).mean() / value.mean(dim=0).norm():.3f}')


def write_means(teacher: Any, batches: Iterable[Any], path: Path) -> None:
    """Write the file of ``Centre``."""
    import torch
    import torch.nn.functional as F

    from mmduet.models.teachers.centre import write_centre
    kept: dict[str, list[Any]] = {}
    for batch in batches:
        for name, value in teacher(batch, teacher.gives & {*EMBEDDINGS, 'patches'}).given().items():
            kept.setdefault(name, []).append(value.mean(dim=(2, 3)) if name == 'patches' else value)
    found = {name: torch.cat(values) for name, values in kept.items()}
    means = {name: value.mean(dim=0) for name, value in found.items()}
    texts, regions = (F.normalize(found[name] - means[name], dim=1) for name in ('text', 'region'))
    scale = min(torch.logspace(0, 2.5, 101).tolist(), key=lambda scale: relate(texts, regions, scale)[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_centre(path, means, torch.tensor(scale), teacher.settings)
    before = relate(found['text'], found['region'], teacher.logit_scale)[1]
    print(f'{path}: means of {len(texts)} expressions; matching pairs are likeliest at a logit scale of {scale:.2f} '
          f'({relate(texts, regions, scale)[1]:.3f}; {before:.3f} without centring)')


def run(args: argparse.Namespace) -> int:
    """Print or write."""
    from mmduet.engine import config_tools
    cfg = common.load_model(args)
    for node in config_tools.walk(cfg.train_dataloader):
        if 'first' in node:
            node['first'] = None
    config, _ = cache_teacher.find_teacher(cfg, '.', args.teacher)
    if args.centre is not None:
        config = {**config, 'centre': None}
    teacher = cache_teacher.build_teacher(config, cfg, seed=0)
    if args.centre is not None:
        write_means(teacher, read_batches(cfg, args.splits, args.samples), args.centre)
    else:
        analyse(teacher, lambda: read_batches(cfg, args.splits, args.samples), args.compare_views)
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
