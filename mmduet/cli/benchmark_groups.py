"""Training steps whose batches have several expressions of an image, timed beside those with one."""
import argparse
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmduet.cli.benchmark_report import PLAIN
from mmduet.cli.clock import Clock
from mmduet.io.text import counted

if TYPE_CHECKING:
    from mmengine.config import Config


def load_groups(dataset: Any, size: int, expressions_per_image: int) -> Iterator[dict[str, Any]]:
    """Batches of ``size`` expressions without end, up to ``expressions_per_image`` of them about an image together."""
    from mmduet.datasets import ImageGroupSampler, grounding_collate
    sampler = ImageGroupSampler(dataset, expressions_per_image, seed=0)
    indices: list[int] = []
    while True:
        while len(indices) < size:
            indices += sampler
            sampler.set_epoch(sampler.epoch + 1)
        yield grounding_collate(dataset.__getitems__(indices[:size]))
        del indices[:size]


def measure(model: Any, cfg: 'Config', args: argparse.Namespace, clock: Clock) -> str:
    """A table of expressions per second by their number for each image; steps of all are taken in turn.

    A distilled student's are also taken without teacher and head, on the same batches, which says what these two cost.
    """
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DATASETS, DefaultScope

    from mmduet.cli.benchmark import train_step
    from mmduet.models.distill import student_of
    with DefaultScope.overwrite_default_scope('mmduet'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        optim = build_optim_wrapper(model, cfg.optim_wrapper)
    numbers = tuple(dict.fromkeys(args.expressions_per_image))
    batches = {k: load_groups(dataset, args.batch_size, k) for k in numbers}
    images: dict[int, list[int]] = {k: [] for k in numbers}
    distilled = student_of(model) is not model
    model.train()
    for number in range(args.steps + 1):
        if number == 1:
            clock.forget()
        for k in numbers:
            batch = next(batches[k])
            images[k].append(len(batch['inputs']))
            for taught in (True, False) if distilled else (False, ):
                clock.measure_u()
                train_step(model, batch, optim, clock, f'{k} ' if taught is distilled else f'{k} {PLAIN}', taught)
    clock.measure_u()
    lines = [f'{args.config}: steps of {counted(args.batch_size, "expression")}, {args.amp or "fp32"}, '
             f'{counted(args.threads, "thread")}, medians of {args.steps}',
             '| expressions per image | images per step | seconds | u | expressions per second | ratio |'
             + (' teacher and head |' if distilled else ''), '| ---: ' * (7 if distilled else 6) + '|']
    first = clock.units[f'{numbers[0]} step']
    for k in numbers:
        seconds, units = statistics.median(clock.seconds[f'{k} step']), clock.units[f'{k} step']
        ratio = statistics.median(one / own for one, own in zip(first, units, strict=True))
        line = (f'| {k} | {statistics.mean(images[k]):.1f} | {seconds:.2f} | {statistics.median(units):.2f} | '
                f'{args.batch_size / seconds:.2f} | {ratio:.2f} |')
        if distilled:
            alone = clock.units[f'{k} {PLAIN}step']
            line += f' {statistics.median(own / plain for own, plain in zip(units, alone, strict=True)) - 1:+.0%} |'
        lines.append(line)
    return '\n'.join(lines)
