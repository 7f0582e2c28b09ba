"""Tables of experiments: means over seeds, and differences between experiments paired by seed."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projects.ablation.estimates import Estimate, estimate
from projects.ablation.records import Record, RunError, check_comparable

# Those that every record of a table has; older ones do not tell finding from tightening.
METRICS = {'found': 'found', 'acc@0.5': 'Acc@0.5', 'acc@0.75': 'Acc@0.75', 'acc@0.9': 'Acc@0.9', 'tight': 'tight',
           'miou': 'mIoU', 'chosen': 'chosen by the anchor'}
VAL = 'val'


@dataclass(frozen=True, slots=True)
class Row:
    """An experiment in a table.

    Attributes:
        experiment: its name.
        seeds: of its runs.
        values: estimate of each metric over the seeds.
        gains: for each experiment compared against, estimate of each metric's difference over the seeds that both have; empty
            for the experiment itself and where they share no seed.
        step_ms: mean CPU time of a step in ms; NaN where no record says it.
        anchor_cosine: mean over seeds of how alike the anchors of a contrast are; NaN without one.
    """

    experiment: str
    seeds: tuple[int, ...]
    values: Mapping[str, Estimate]
    gains: Mapping[str, Mapping[str, Estimate]]
    step_ms: float
    anchor_cosine: float = math.nan


def scores(record: Record, split: str) -> Mapping[str, Any]:
    """Metrics of a record on val or on a test split.

    Raises:
        RunError: the record has no such split.
    """
    found = record.get(VAL) if split == VAL else record.get('test', {}).get(split)
    if found is None:
        raise RunError(f'the record of {record["arm"]} seed {record["seed"]} has no scores of {split!r}; it has '
                       f'{", ".join([*record.get("test", {}), *([VAL] if VAL in record else [])])}')
    return found


def compare(records: Sequence[Record], against: Sequence[str], split: str = VAL) -> list[Row]:
    """Rows of the experiments in the order of the records.

    Args:
        records: one per experiment and seed, of one number of training expressions.
        against: experiments that the others are compared with; those without a record are left out.
        split: ``'val'`` or a test split.

    Raises:
        RunError: the runs may not be compared, or lack the split.
    """
    check_comparable(records)
    found: dict[str, dict[int, Record]] = {}
    for record in records:
        found.setdefault(record['arm'], {})[record['seed']] = record
    metrics = [name for name in METRICS if all(name in scores(record, split) for record in records)]
    rows = []
    for experiment, runs in found.items():
        seeds = tuple(sorted(runs))
        values = {name: estimate([scores(runs[seed], split)[name] for seed in seeds]) for name in metrics}
        gains = {}
        for other in against:
            common = [seed for seed in seeds if seed in found.get(other, {})]
            if other != experiment and common:
                gains[other] = {name: estimate([scores(runs[seed], split)[name] - scores(found[other][seed], split)[name]
                                                for seed in common]) for name in metrics}
        times = [run['step_cpu_ms'] for run in runs.values() if 'step_cpu_ms' in run]
        cosines = [run['anchor_cosine'] for run in runs.values() if run.get('anchor_cosine') is not None]
        rows.append(Row(experiment, seeds, values, gains, sum(times) / len(times) if times else math.nan,
                        sum(cosines) / len(cosines) if cosines else math.nan))
    return rows


def format_value(value: Estimate) -> str:
    """``61.2 ± 0.8``, mean and standard deviation."""
    return f'{value.mean:.1f}' if math.isnan(value.deviation) else f'{value.mean:.1f} ± {value.deviation:.1f}'


def format_gain(gain: Estimate | None) -> str:
    """``+5.0 [+3.1, +6.9] (5)``, difference, interval and number of seeds."""
    if gain is None:
        return ''
    interval = '' if math.isnan(gain.half_width) else f' [{gain.low:+.1f}, {gain.high:+.1f}]'
    return f'{gain.mean:+.1f}{interval} ({gain.count})'


def _number(value: float, digits: int) -> str:
    return '' if math.isnan(value) else f'{value:.{digits}f}'


def format_table(rows: Sequence[Row], against: Sequence[str]) -> str:
    """Markdown: means and deviations, and differences to each experiment of ``against`` with 95 % intervals."""
    known = [other for other in against if any(other in row.gains for row in rows)]
    metrics = {name: title for name, title in METRICS.items() if rows and name in rows[0].values}
    anchors = any(not math.isnan(row.anchor_cosine) for row in rows)
    head = ['experiment', 'seeds', *metrics.values(),
            *(f'{title} minus {other}' for other in known for title in metrics.values()), *['anchors'] * anchors,
            'CPU ms per step']
    lines = [head, ['---', *['---:'] * (len(head) - 1)]]
    for row in rows:
        gains = [format_gain(row.gains.get(other, {}).get(name)) for other in known for name in metrics]
        lines.append([row.experiment, str(len(row.seeds)), *(format_value(row.values[name]) for name in metrics), *gains,
                      *[_number(row.anchor_cosine, 2)] * anchors,
                      _number(row.step_ms, 0)])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def format_kinds(records: Sequence[Record], split: str = VAL) -> str:
    """Markdown: mean Acc@0.5 of each experiment by kind of expression; empty where no record names kinds."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        for kind, values in scores(record, split).get('kinds', {}).items():
            found.setdefault(record['arm'], {}).setdefault(kind, []).append(values['acc@0.5'])
    kinds = sorted({kind for values in found.values() for kind in values})
    if not kinds:
        return ''
    lines = [['Acc@0.5 by kind', *kinds], ['---', *['---:'] * len(kinds)]]
    for name, values in found.items():
        lines.append([name, *(f'{sum(values[kind]) / len(values[kind]):.1f}' if kind in values else '' for kind in kinds)])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def format_exclusion(records: Sequence[Record]) -> str:
    """A sentence about the data overlap of pre-training with val and test; a record without the field is unknown."""
    experiments: dict[str, list[str]] = {}
    for record in records:
        named = experiments.setdefault(str(record.get('pretrain_kept_out', 'unknown')), [])
        if record['arm'] not in named:
            named.append(record['arm'])
    answers = [answer if len(experiments) == 1 else f'{answer} ({", ".join(named)})' for answer, named in experiments.items()]
    return f'val and test images excluded from pre-training: {"; ".join(answers)}'


def gains_against(rows: Sequence[Row], other: str) -> dict[str, dict[str, Estimate]]:
    """Differences to experiment ``other`` by metric's title and experiment; empty where there is none."""
    compared = [row for row in rows if other in row.gains]
    if not compared:
        return {}
    return {METRICS[name]: {row.experiment: row.gains[other][name] for row in compared} for name in compared[0].values}


def label_curves(records: Sequence[Record], split: str = VAL, metric: str = 'acc@0.5') -> dict[str, dict[int, Estimate]]:
    """Estimates over seeds by experiment and number of training expressions; experiments with two numbers or more."""
    found: dict[str, dict[int, list[float]]] = {}
    for record in records:
        if record['train_size'] is not None:
            found.setdefault(record['arm'], {}).setdefault(record['train_size'], []).append(scores(record, split)[metric])
    return {name: {size: estimate(values) for size, values in sorted(points.items())} for name, points in found.items()
            if len(points) > 1}
