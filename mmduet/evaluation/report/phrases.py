"""Figures of a report in words."""
from collections.abc import Mapping
from typing import Any

from mmduet.evaluation.report.summary import MAIN, METRICS, MIOU

Figure = Mapping[str, float | None]
Figures = Mapping[str, Any]
TITLES = {**{name: f'Acc@{name[4:]}' for name in METRICS if name != MIOU}, MIOU: 'mIoU'}
SCORED = {'auroc': 'AUROC of hits against misses by the score', 'surest50': 'hits among the surest 50 %',
          'surest80': 'hits among the surest 80 %', 'ece': 'expected calibration error of the score'}
CHANCE = 0.05
# A slice of fewer expressions is shown in grey, and never named as a weakness.
FEW = 30
WEAKEST = 3


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A figure with a true minus; a dash for what is unknown."""
    if value is None:
        return '–'
    return f'{value:{"+" if sign else ""}.{digits}f}'.replace('-', '−')


def interval(figure: Figure, sign: bool = False) -> str:
    """The ends of an interval in words."""
    if figure['low'] is None:
        return 'no interval'
    return f'{number(figure["low"], sign=sign)} to {number(figure["high"], sign=sign)}'


def chance(p: float, draws: int) -> str:
    """A probability, which draws cannot show to be smaller than one in so many."""
    text = f'p ≤ {1 / (draws + 1):.1g}' if p <= 1.001 / (draws + 1) else f'p = {p:.2g}'
    return text.replace(' ', '\N{NO-BREAK SPACE}')


def side(figure: Figure) -> str:
    """``'better'`` or ``'worse'`` where the interval of a difference lies on one side of zero, else nothing."""
    low, high = figure['low'], figure['high']
    if low is None or high is None or low <= 0 <= high:
        return ''
    return 'better' if low > 0 else 'worse'


def differ(figure: Figures) -> bool:
    """Whether a difference is beyond chance, both by its interval and by its p."""
    return bool(side(figure)) and figure['p'] < CHANCE


def weaknesses(figures: Figures, index: int) -> list[str]:
    """The lowest slices whose interval lies below the figure over all expressions."""
    overall = figures['systems'][index]['metrics'][MAIN]['value']
    mains = [(part, part['systems'][index][MAIN]) for part in figures['slices'] if part['expressions'] >= FEW]
    below = [(main['value'], part['phrase']) for part, main in mains if main['high'] is not None and main['high'] < overall]
    return [f'{phrase} ({number(value)} %)' for value, phrase in sorted(below)[:WEAKEST]]
