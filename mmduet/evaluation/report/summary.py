"""All figures of a report, as plain values that become its JSON and its page."""
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmduet.evaluation.report.cases import Cases
from mmduet.evaluation.report.outcomes import HIT, OUTCOMES, Outcomes, find_outcomes
from mmduet.evaluation.report.overlaps import Floats, clip_boxes, overlap_pairs
from mmduet.evaluation.report.predictions import Predictions
from mmduet.evaluation.report.resampling import ImageBootstrap, Interval, make_interval, permutation_p
from mmduet.evaluation.report.slices import make_slices
from mmduet.evaluation.scores import rate_scores
from mmduet.io.text import counted

Figures = dict[str, Any]
THRESHOLDS = (0.25, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
CURVE = tuple(step / 20 for step in range(1, 20))
BINS = 20
MAIN, MIOU = 'acc@0.5', 'miou'
METRICS = (*(f'acc@{threshold:g}' for threshold in THRESHOLDS), MIOU)
PERMUTATIONS = 10000
DIGITS = 4
# Recorded IoUs of the same boxes by the same rule differ by rounding alone.
SAME_IOU = 1e-3
MANY_OUTSIDE = 0.2
# The bootstrap's intervals are too narrow for so few.
FEW_IMAGES = 30


class System(NamedTuple):
    """One system: what it predicted, the (n,) IoU with the targets, whether it is at least 0.5, and what each box found."""

    name: str
    predictions: Predictions
    overlaps: Floats
    hits: NDArray[np.bool_]
    outcomes: Outcomes


class Summary(NamedTuple):
    """A report without its images: plain values, ready for JSON (None where unknown), the systems and the expressions."""

    figures: Figures
    systems: tuple[System, ...]
    cases: Cases


def summarise(cases: Cases, predictions: Sequence[Predictions], draws: int = 1000, seed: int = 0) -> Summary:
    """Score one or more systems, slice by slice, and compare each with the first, by so many draws of the bootstrap."""
    systems = tuple(_score(one, cases) for one in predictions)
    bootstrap = ImageBootstrap(cases.images, draws, seed)
    images = len(cases.objects)
    few = [f'Only {counted(images, "image")}: the intervals are rough.'] if images < FEW_IMAGES else []
    figures: Figures = {
        'annotations': [str(path) for path in cases.paths],
        'objects': None if cases.objects_path is None else str(cases.objects_path),
        'expressions': len(cases), 'images': images, 'draws': draws, 'seed': seed, 'permutations': PERMUTATIONS,
        'systems': [_describe(system, cases, bootstrap) for system in systems],
        'slices': _describe_slices(systems, cases, bootstrap),
        'comparisons': [_compare(systems[0], system, cases, bootstrap) for system in systems[1:]],
        'notes': few + [note for system in systems for note in _notes(system, cases)],
    }
    return Summary(figures, systems, cases)


def _score(predictions: Predictions, cases: Cases) -> System:
    clipped = clip_boxes(predictions.boxes, cases.sizes)
    overlaps = overlap_pairs(clipped, cases.targets)
    for index, annotation in enumerate(cases.annotations):
        if annotation.boxes is not None:  # the best of the boxes that are right, as all rules have it
            overlaps[index] = overlap_pairs(clipped[index], cases.right_boxes(index)).max()
    return System(predictions.name, predictions, overlaps, overlaps >= HIT, find_outcomes(clipped, overlaps, cases))


def _columns(overlaps: Floats, thresholds: Sequence[float] = THRESHOLDS) -> Floats:
    """(n, k + 1): hits at each threshold, then the IoU, all in percent."""
    return 100.0 * np.column_stack([overlaps[:, None] >= np.array(thresholds), overlaps]).astype(np.float64)


def _plain(interval: Interval, **more: float) -> dict[str, float | None]:
    values = {**interval._asdict(), **more}
    return {name: None if math.isnan(value) else round(value, DIGITS if name != 'p' else 6) for name, value in values.items()}


def _describe(system: System, cases: Cases, bootstrap: ImageBootstrap) -> Figures:
    metrics = zip(METRICS, bootstrap.intervals(_columns(system.overlaps)), strict=True)
    curve = zip(CURVE, bootstrap.intervals(_columns(system.overlaps, CURVE)), strict=False)
    return {
        'name': system.name, 'file': str(system.predictions.path), 'sha256': system.predictions.sha256,
        'pretrain_kept_out': system.predictions.excluded,
        'metrics': {name: _plain(interval) for name, interval in metrics},
        'curve': [{'threshold': threshold, **_plain(interval)} for threshold, interval in curve],
        'histogram': np.histogram(system.overlaps, bins=BINS, range=(0.0, 1.0))[0].tolist(),
        'outcomes': {name: system.outcomes.names.count(name) for name in OUTCOMES},
        'scores': _rate(system),
        'mistaken': [dict(zip(('target', 'found', 'count'), one, strict=True)) for one in system.outcomes.mistaken(cases)],
    }


def _rate(system: System) -> dict[str, float]:
    """What the scores are worth, in percent; nothing where some are no probabilities or all are 1."""
    scores = system.predictions.scores
    if not ((scores >= 0) & (scores <= 1)).all() or (scores == 1).all():
        return {}
    return {name: round(value, DIGITS) for name, value in rate_scores(scores, system.hits).items()}


def _describe_slices(systems: Sequence[System], cases: Cases, bootstrap: ImageBootstrap) -> list[Figures]:
    scores = [_columns(system.overlaps, (HIT,)) for system in systems]
    columns = np.column_stack([*scores, *(score[:, 0] - scores[0][:, 0] for score in scores[1:])])
    overall, drawn = bootstrap.means(columns)
    described = []
    for part in make_slices(cases):
        intervals = [_plain(interval) for interval in bootstrap.intervals(columns, part.mask)]
        # Paired: slice and whole come from the same draws, so that what moves both does not blur their difference.
        means, own = bootstrap.means(columns, part.mask)
        several = np.ptp(cases.images[part.mask]) > 0 and not part.mask.all()
        against = [_plain(make_interval(float(means[k] - overall[k]), (own - drawn)[:, k] if several else own[:0, k]))
                   for k in range(0, 2 * len(systems), 2)]
        described.append({'group': part.group, 'name': part.name, 'phrase': part.phrase, 'expressions': int(part.mask.sum()),
                          'images': len(np.unique(cases.images[part.mask])),
                          'systems': [{MAIN: intervals[2 * k], MIOU: intervals[2 * k + 1]} for k in range(len(systems))],
                          'against_all': against,
                          'differences': intervals[2 * len(systems):]})
    return described


def _compare(first: System, second: System, cases: Cases, bootstrap: ImageBootstrap) -> Figures:
    difference = _columns(second.overlaps) - _columns(first.overlaps)
    chances = permutation_p(difference, cases.images, PERMUTATIONS, bootstrap.seed)
    metrics = zip(METRICS, bootstrap.intervals(difference), chances, strict=True)
    flipped = {name: [{'split': cases.annotations[index].split, 'expression_id': cases.annotations[index].expression_id}
                      for index in np.flatnonzero(mask)]
               for name, mask in (('gained', second.hits & ~first.hits), ('lost', first.hits & ~second.hits))}
    return {'first': first.name, 'second': second.name,
            'metrics': {name: _plain(interval, p=p) for name, interval, p in metrics},
            'both_right': int((first.hits & second.hits).sum()), 'both_wrong': int((~first.hits & ~second.hits).sum()),
            **flipped}


def _notes(system: System, cases: Cases) -> list[str]:
    """Sentences about what a reader of the figures should know."""
    notes, predictions = [], system.predictions
    absent = int(np.isnan(predictions.boxes).any(axis=1).sum())
    if absent:
        notes.append(f'{system.name} gave no box for {counted(absent, "expression")}: misses.')
    apart = np.nan_to_num(np.abs(predictions.recorded - system.overlaps))
    if apart.max() > SAME_IOU:
        notes.append(f'The file of {system.name} says another IoU than this report for '
                     f'{counted(int((apart > SAME_IOU).sum()), "expression")}, by up to {apart.max():.3f}: it was scored by '
                     'another rule or against other boxes.')
    outside = ((predictions.boxes < -1) | (predictions.boxes > np.tile(cases.sizes, 2) + 1)).any(axis=1).mean()
    if outside > MANY_OUTSIDE:
        notes.append(f'{100 * outside:.0f} % of the boxes of {system.name} reach beyond their image, where they are cut: are '
                     'they in pixels of the original image, and is their format right?')
    return notes
