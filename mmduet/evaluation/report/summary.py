"""All figures of a report, as plain values that become its JSON and its page."""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.outcomes import HIT, Outcomes, find_outcomes
from mmduet.evaluation.report.overlaps import score_boxes
from mmduet.evaluation.report.predictions import Predictions
from mmduet.evaluation.report.resampling import ImageBootstrap, Interval, make_interval, permutation_p
from mmduet.evaluation.report.slices import make_slices

Floats = NDArray[np.float64]
Figures = dict[str, Any]
THRESHOLDS = (0.25, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
CURVE = tuple(step / 20 for step in range(1, 20))
BINS = 20
MAIN = 'acc@0.5'
MIOU = 'miou'
SLICE_METRICS = (MAIN, MIOU)
METRICS = (*(f'acc@{threshold:g}' for threshold in THRESHOLDS), MIOU)
PERMUTATIONS = 10000
DIGITS = 4
# Recorded IoUs of the same boxes by the same rule differ by rounding alone.
SAME_IOU = 1e-3
MANY_OUTSIDE = 0.2
# The bootstrap's intervals are too narrow for so few.
FEW_IMAGES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What is worked out about one system, by expression.

    Attributes:
        predictions: what it answered.
        overlaps: (n,) IoU with the targets.
        outcomes: what each prediction found.
    """

    predictions: Predictions
    overlaps: Floats
    outcomes: Outcomes

    @property
    def name(self) -> str:
        """Of the system."""
        return self.predictions.name

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(n,) whether the IoU is at least 0.5."""
        return self.overlaps >= HIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A report without its pictures.

    Attributes:
        figures: plain values, ready for JSON; None stands for what cannot be said.
        systems: in the order of the files.
        cases: the expressions.
    """

    figures: Figures
    systems: tuple[System, ...]
    cases: Cases


def summarise(cases: Cases, predictions: Sequence[Predictions], draws: int = 1000, seed: int = 0) -> Summary:
    """Score systems, slice by slice, and compare each with the first.

    Args:
        cases: the expressions.
        predictions: of at least one system.
        draws: of the bootstrap.
        seed: of all random numbers.
    """
    systems = tuple(_score(one, cases) for one in predictions)
    bootstrap = ImageBootstrap(cases.images, draws, seed)
    figures: Figures = {
        'annotations': [str(path) for path in cases.paths],
        'objects': None if cases.objects_path is None else str(cases.objects_path),
        'expressions': len(cases), 'images': cases.image_count, 'draws': draws, 'seed': seed, 'permutations': PERMUTATIONS,
        'systems': [_describe(system, cases, bootstrap) for system in systems],
        'slices': _slices(cases, systems, bootstrap),
        'comparisons': [_compare(systems[0], system, cases, bootstrap, seed) for system in systems[1:]],
        'notes': _notes_on_size(cases) + [note for system in systems for note in _notes(system, cases)],
    }
    return Summary(figures=figures, systems=systems, cases=cases)


def _score(predictions: Predictions, cases: Cases) -> System:
    overlaps = score_boxes(predictions.boxes, cases.targets, cases.sizes)
    for index, annotation in enumerate(cases.annotations):
        if annotation.boxes is not None:  # the best of the boxes that are right, as all rules have it
            box, size = predictions.boxes[index:index + 1], cases.sizes[index:index + 1]
            overlaps[index] = score_boxes(box, cases.right_boxes(index), size).max()
    return System(predictions=predictions, overlaps=overlaps, outcomes=find_outcomes(predictions.boxes, overlaps, cases))


def _columns(overlaps: Floats, thresholds: Sequence[float] = THRESHOLDS) -> Floats:
    """(n, k + 1): hits at each threshold, then the IoU, all in percent."""
    columns = [*((overlaps >= threshold).astype(np.float64) for threshold in thresholds), overlaps]
    return 100.0 * np.column_stack(columns)


def _plain(interval: Interval, **more: float) -> dict[str, float | None]:
    values = {'value': interval.value, 'low': interval.low, 'high': interval.high, **more}
    return {name: None if math.isnan(value) else round(value, DIGITS if name != 'p' else 6) for name, value in values.items()}


def _describe(system: System, cases: Cases, bootstrap: ImageBootstrap) -> Figures:
    metrics = zip(METRICS, bootstrap.intervals(_columns(system.overlaps)), strict=True)
    curve = bootstrap.intervals(_columns(system.overlaps, CURVE))[:-1]
    counts, _ = np.histogram(system.overlaps, bins=BINS, range=(0.0, 1.0))
    return {
        'name': system.name, 'file': str(system.predictions.path), 'sha256': system.predictions.sha256,
        'pretrain_kept_out': system.predictions.kept_out,
        'metrics': {name: _plain(interval) for name, interval in metrics},
        'curve': [{'threshold': threshold, **_plain(interval)} for threshold, interval in zip(CURVE, curve, strict=True)],
        'histogram': [int(count) for count in counts],
        'outcomes': system.outcomes.count(),
        'mistaken': [{'target': target, 'found': found, 'count': count}
                     for target, found, count in system.outcomes.mistaken(cases)],
    }


def _slices(cases: Cases, systems: Sequence[System], bootstrap: ImageBootstrap) -> list[Figures]:
    columns = np.column_stack([_columns(system.overlaps, (HIT,)) for system in systems])
    described = []
    for part in make_slices(cases):
        means, drawn = bootstrap.means(columns, part.mask)
        images = len(np.unique(cases.images[part.mask]))
        usable = drawn if images > 1 else drawn[:0]
        scores = [{metric: _plain(make_interval(float(means[2 * k + m]), usable[:, 2 * k + m]))
                   for m, metric in enumerate(SLICE_METRICS)} for k in range(len(systems))]
        differences = [_plain(make_interval(float(means[2 * k] - means[0]), usable[:, 2 * k] - usable[:, 0]))
                       for k in range(1, len(systems))]
        described.append({'group': part.group, 'name': part.name, 'phrase': part.phrase,
                          'expressions': int(part.mask.sum()), 'images': images,
                          'systems': scores, 'differences': differences})
    return described


def _compare(first: System, second: System, cases: Cases, bootstrap: ImageBootstrap, seed: int) -> Figures:
    difference = _columns(second.overlaps) - _columns(first.overlaps)
    chances = permutation_p(difference, cases.images, PERMUTATIONS, seed)
    intervals = bootstrap.intervals(difference)
    gained, lost = second.hits & ~first.hits, first.hits & ~second.hits
    return {
        'first': first.name, 'second': second.name,
        'metrics': {name: _plain(interval, p=p) for name, interval, p in zip(METRICS, intervals, chances, strict=True)},
        'both_right': int((first.hits & second.hits).sum()), 'both_wrong': int((~first.hits & ~second.hits).sum()),
        'gained': [_key(cases, index) for index in np.flatnonzero(gained)],
        'lost': [_key(cases, index) for index in np.flatnonzero(lost)],
    }


def _key(cases: Cases, index: int) -> dict[str, str]:
    annotation = cases.annotations[index]
    return {'split': annotation.split, 'expression_id': annotation.expression_id}


def _notes_on_size(cases: Cases) -> list[str]:
    few = cases.image_count < FEW_IMAGES
    return [f'There are only {cases.image_count} images: the intervals are rough.'] if few else []


def _notes(system: System, cases: Cases) -> list[str]:
    """Sentences about what a reader of the figures should know."""
    notes, predictions = [], system.predictions
    absent = int(np.isnan(predictions.boxes).any(axis=1).sum())
    if absent:
        notes.append(f'{system.name} gave no box for {absent:,} expressions; they count as misses.')
    recorded = ~np.isnan(predictions.recorded)
    apart = np.abs(predictions.recorded - system.overlaps)[recorded]
    if (apart > SAME_IOU).any():
        notes.append(f'The file of {system.name} says another IoU than this report for {int((apart > SAME_IOU).sum()):,} '
                     f'expressions, by up to {apart.max():.3f}: it was scored by another rule or against other boxes.')
    limits = np.concatenate([cases.sizes, cases.sizes], axis=1)
    outside = ((predictions.boxes < -1) | (predictions.boxes > limits + 1)).any(axis=1).mean()
    if outside > MANY_OUTSIDE:
        notes.append(f'{100 * outside:.0f} % of the boxes of {system.name} reach beyond their image, where they are cut: are '
                     'they in pixels of the original image, and is their format right?')
    return notes
