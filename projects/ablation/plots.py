"""A dot and an interval for each arm, as SVG."""
import math
from collections.abc import Mapping, Sequence
from html import escape

from projects.ablation.estimates import Estimate

ROW, PANEL, GAP, TOP, BOTTOM = 22, 300, 30, 44, 34
# Pixels of a letter of a label, at most.
LETTER = 7
BLUE, GREY = '#1f5fa8', '#9aa0a6'


def nice_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that cover [low, high], at most about ``most``."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span / most))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def draw_gains(panels: Mapping[str, Mapping[str, Estimate]], title: str) -> str:
    """Draw differences with their intervals.

    Args:
        panels: for each title of a panel, the difference of each arm; a panel has the arms that it has.
        title: above all.

    Returns:
        An SVG document.

    Raises:
        ValueError: there is no arm to draw.
    """
    arms = list(dict.fromkeys(arm for gains in panels.values() for arm in gains))
    if not arms:
        raise ValueError('there is no difference to draw')
    label = LETTER * max(map(len, arms)) + 20
    width = label + len(panels) * (PANEL + GAP)
    height = TOP + ROW * len(arms) + BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="8" y="18" font-size="13" font-weight="bold">{escape(title)}</text>']
    for row, arm in enumerate(arms):
        parts.append(f'<text x="{label - 10}" y="{TOP + ROW * row + 15}" text-anchor="end">{escape(arm)}</text>')
    for column, (name, gains) in enumerate(panels.items()):
        parts += _draw_panel(label + column * (PANEL + GAP), name, arms, gains)
    return '\n'.join([*parts, '</svg>', ''])


def _draw_panel(left: int, name: str, arms: Sequence[str], gains: Mapping[str, Estimate]) -> list[str]:
    half = {arm: 0.0 if math.isnan(gain.half_width) else gain.half_width for arm, gain in gains.items()}
    ends = [gain.mean + side * half[arm] for arm, gain in gains.items() for side in (-1, 1)]
    ticks = nice_ticks(min(0.0, *ends), max(0.0, *ends))
    low, high = ticks[0], max(ticks[-1], ticks[0] + 1e-9)
    bottom = TOP + ROW * len(arms)

    def place(value: float) -> str:
        return f'{left + PANEL * (value - low) / (high - low):.1f}'

    parts = [f'<text x="{left + PANEL / 2:.0f}" y="{TOP - 8}" text-anchor="middle">{escape(name)}</text>']
    for tick in ticks:
        colour = 'black' if tick == 0 else '#dddddd'
        parts.append(f'<line x1="{place(tick)}" x2="{place(tick)}" y1="{TOP}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(f'<text x="{place(tick)}" y="{bottom + 16}" text-anchor="middle" fill="#555555">{tick:+g}</text>')
    for row, arm in enumerate(arms):
        if arm not in gains:
            continue
        y, gain = TOP + ROW * row + ROW / 2, gains[arm]
        # Blue where the interval lies on one side of zero.
        colour = BLUE if half[arm] and abs(gain.mean) > half[arm] else GREY
        parts.append(f'<line x1="{place(gain.mean - half[arm])}" x2="{place(gain.mean + half[arm])}" y1="{y}" y2="{y}" '
                     f'stroke="{colour}" stroke-width="2.5"/>')
        parts.append(f'<circle cx="{place(gain.mean)}" cy="{y}" r="4.5" fill="{colour}"><title>{escape(arm)}: '
                     f'{gain.mean:+.2f} over {gain.count} seeds</title></circle>')
    return parts
