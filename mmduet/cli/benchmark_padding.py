"""Training steps and predictions with visual tokens that are padding encoded, timed beside those that leave them out."""
import argparse
import statistics
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any

from mmduet.cli.clock import Clock
from mmduet.io.text import counted

if TYPE_CHECKING:
    from mmengine.config import Config

WAYS = {True: 'encoded', False: 'left out'}
# Batches that are counted, of which no pixel is encoded.
COUNTED = 32


def test_dataset(cfg: 'Config') -> dict[str, Any]:
    """The config of the training data as a test reads it: whole images, placed in the middle."""
    from mmduet.engine import config_tools
    dataset: dict[str, Any] = deepcopy(cfg.train_dataloader.dataset)
    for node in config_tools.walk(dataset):
        if 'pipeline' in node:
            node.update(pipeline=cfg.val_dataloader.dataset.pipeline, test_mode=True)
    return dataset


def load_epochs(dataset: Any, size: int) -> Iterator[list[Any]]:
    """Items of shuffled batches without end, epoch by epoch."""
    from torch.utils.data import BatchSampler

    from mmduet.datasets import EpochSampler
    sampler, epoch = EpochSampler(dataset, seed=0), 0
    while True:
        sampler.set_epoch(epoch)
        for indices in BatchSampler(sampler, size, drop_last=True):
            yield dataset.__getitems__(indices)
        epoch += 1


def shares(preprocessor: Any, batches: Sequence[list[Any]]) -> tuple[float, float]:
    """Of the visual tokens of batches of items: the share that is padding, and the share that is encoded."""
    from mmduet.models.layers.kept_tokens import count_kept, part_size
    from mmduet.structures import stack_contents
    padded = encoded = tokens = 0
    for items in batches:
        canvases = [item['data_samples'].canvas for item in items]
        padding = preprocessor.visual_padding(stack_contents(canvases), canvases[0].size)
        images, each = len(padding), padding[0].numel()
        counts, size = count_kept(padding) or (each, ), part_size(images)
        ends = [*range(size, images, size), images] if len(counts) > 1 else [images]
        encoded += sum(count * (end - start) for count, start, end in zip(counts, [0, *ends], ends, strict=False))
        padded, tokens = padded + int(padding.sum()), tokens + images * each
    return padded / tokens, encoded / tokens


def measure(model: Any, cfg: 'Config', args: argparse.Namespace, clock: Clock) -> str:
    """A table of the tokens that are encoded, and one of the times; each batch is taken with and without, in turn."""
    from mmengine.registry import DATASETS, DefaultScope

    from mmduet.engine.config_tools import ConfigError
    from mmduet.models.distill import student_of
    preprocessor = model.data_preprocessor
    if preprocessor.visual_padding is None:
        raise ConfigError(f'--padding needs a student that leaves padding out: {type(student_of(model)).__name__} encodes all')
    with DefaultScope.overwrite_default_scope('mmduet'):
        datasets = {'training': DATASETS.build(cfg.train_dataloader.dataset), 'test': DATASETS.build(test_dataset(cfg))}
    lines = [f'{args.config}: batches of {args.batch_size}', '| images as in | padding | encoded |', '| --- | ---: | ---: |']
    for name, dataset in datasets.items():
        padded, encoded = shares(preprocessor, list(islice(load_epochs(dataset, args.batch_size), COUNTED)))
        lines.append(f'| {name} | {100 * padded:.1f} % | {100 * encoded:.1f} % |')
    difference = take_steps(model, cfg, args, clock, datasets)
    lines += ['', f'{args.amp or "fp32"}, {counted(args.threads, "thread")}, medians of {args.steps}; boxes differ by at most '
              f'{difference:.1e}',
              '| | padding | seconds | u | ratio |', '| --- | --- | ---: | ---: | ---: |']
    for name in ('training step', 'prediction', 'prediction of one'):
        for way in WAYS.values():
            key = f'{way} {"step" if name == "training step" else name}'
            pairs = zip(clock.units[key], clock.units[key.replace(way, WAYS[True])], strict=True)
            lines.append(f'| {name} | {way} | {statistics.median(clock.seconds[key]):.2f} | '
                         f'{statistics.median(clock.units[key]):.2f} | {statistics.median(a / b for a, b in pairs):.3f} |')
    return '\n'.join(lines)


def take_steps(model: Any, cfg: 'Config', args: argparse.Namespace, clock: Clock, datasets: dict[str, Any]) -> float:
    """Train and predict on the same batches in both ways, after one not timed; how far apart boxes were, in canvases."""
    import torch
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DefaultScope

    from mmduet.cli.benchmark import train_step
    from mmduet.datasets import grounding_collate
    from mmduet.models.distill import student_of
    with DefaultScope.overwrite_default_scope('mmduet'):
        optim = build_optim_wrapper(model, cfg.optim_wrapper)
    batches = {name: load_epochs(dataset, args.batch_size) for name, dataset in datasets.items()}
    difference = 0.0
    for number in range(args.steps + 1):
        if number == 1:
            clock.forget()
        trained, tested = (grounding_collate(next(batches[name])) for name in ('training', 'test'))
        one = grounding_collate(next(batches['test'])[:1])
        model.train()
        for encode, way in WAYS.items():
            model.data_preprocessor.encode_padding = encode
            clock.measure_u()
            train_step(model, trained, optim, clock, f'{way} ', student_of(model) is not model)
        model.eval()
        for name, batch in (('prediction', tested), ('prediction of one', one)):
            answers = []
            for encode, way in WAYS.items():
                model.data_preprocessor.encode_padding = encode
                clock.measure_u()
                with torch.no_grad(), clock.phase(f'{way} {name}'):
                    found = model.test_step(batch)
                answers.append(torch.cat([sample.pred_instances.canvas_boxes.clone() for sample in found]))
            difference = max(difference, float((answers[0] - answers[1]).abs().max()))
        clock.measure_u()
    return difference
