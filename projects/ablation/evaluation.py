"""Scores of a student over a whole split or its beginning, by kind of expression where the data set says the kind."""
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from mmduet.evaluation import GroundingMetric

Predictions = list[dict[str, Any]]
DIGITS = 3
# Metrics of the data set that tables show, and records keep; the share found is acc@0.25.
SHOWN = ('acc@0.5', 'acc@0.75', 'acc@0.9', 'miou')
# IoU from which on an answer means the object, and from which on its box is tight.
FOUND, TIGHT = 0.25, 0.9


def first_items(loader: DataLoader[Any], count: int) -> DataLoader[Any]:
    """A loader of the first ``count`` items, or of all where there are fewer; it shares the data set."""
    items = Subset(loader.dataset, range(min(count, len(loader.dataset))))  # type: ignore[arg-type]
    # A generator of its own: without one every pass draws from that of the training.
    return DataLoader(items, batch_size=loader.batch_size, collate_fn=loader.collate_fn, generator=torch.Generator())


@torch.no_grad()
def evaluate(student: Any, loader: DataLoader[Any], metric: GroundingMetric) -> tuple[dict[str, Any], Predictions]:
    """Score a student; it is left in eval mode.

    Returns:
        Metrics in percent, with ``kinds`` (metrics and ``count`` by kind of expression) where the annotations name kinds; and
        the predictions, sorted by split and expression.
    """
    student.eval()
    metric.results.clear()
    for batch in loader:
        metric.process(batch, student.test_step(batch))
    predictions = sorted(metric.results, key=lambda prediction: (prediction['split'], prediction['expression_id']))
    dataset: Any = loader.dataset
    size = len(dataset)
    source = getattr(dataset, 'dataset', dataset)
    metric.dataset_meta = getattr(source, 'metainfo', None)
    metrics: dict[str, Any] = {name: round(value, DIGITS) for name, value in metric.evaluate(size).items() if name in SHOWN}
    metrics.update(find_and_tighten([prediction['iou'] for prediction in predictions]))
    kinds = read_kinds(source.data_root, {prediction['split'] for prediction in predictions})
    if kinds:
        metrics['kinds'] = score_kinds(predictions, kinds)
    return metrics, predictions


def find_and_tighten(ious: Sequence[float]) -> dict[str, float]:
    """Percent of the answers that found the object, ``found``, and of these that are right at 0.9, ``tight``."""
    found = [iou for iou in ious if iou >= FOUND]
    return {'found': round(100 * len(found) / len(ious), DIGITS),
            'acc@0.9': round(100 * sum(iou >= TIGHT for iou in ious) / len(ious), DIGITS),
            'tight': round(100 * sum(iou >= TIGHT for iou in found) / max(len(found), 1), DIGITS)}


def read_kinds(data_root: Path, splits: Iterable[str]) -> dict[tuple[str, str], str]:
    """Kind of every expression that has one, by split and expression_id."""
    kinds = {}
    for split in splits:
        with (Path(data_root) / 'annotations' / f'{split}.jsonl').open(encoding='utf-8') as file:
            for line in filter(str.strip, file):
                record = json.loads(line)
                if record.get('kind') is not None:
                    kinds[record['split'], record['expression_id']] = str(record['kind'])
    return kinds


def score_kinds(predictions: Predictions, kinds: dict[tuple[str, str], str]) -> dict[str, dict[str, float]]:
    """Acc@0.5 in percent, and how many, of each kind."""
    overlaps: dict[str, list[float]] = {}
    for prediction in predictions:
        kind = kinds.get((prediction['split'], prediction['expression_id']))
        if kind is not None:
            overlaps.setdefault(kind, []).append(prediction['iou'])
    return {kind: {'acc@0.5': round(100 * sum(iou >= 0.5 for iou in ious) / len(ious), DIGITS), 'count': len(ious)}
            for kind, ious in sorted(overlaps.items())}
