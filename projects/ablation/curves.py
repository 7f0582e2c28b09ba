"""Scores over the number of training expressions, one line for each arm, as SVG."""
import math
from collections.abc import Mapping, Sequence
from html import escape

from projects.ablation.estimates import Estimate
from projects.ablation.plots import nice_ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 320, 56, 130, 44, 46
COLOURS = ('#1f5fa8', '#c0561a', '#3a8a3f', '#8a4f9e', '#7a6a1e', '#9aa0a6')

Curves = Mapping[str, Mapping[int, Estimate]]


def draw_curves(curves: Curves, title: str, unit: str) -> str:
    """Draw means and standard deviations over a logarithmic axis of sizes.

    Args:
        curves: for each arm, the score at each number of training expressions.
        title: above all.
        unit: of the scores, for the axis.

    Returns:
        An SVG document.

    Raises:
        ValueError: there are fewer than two sizes to draw.
    """
    sizes = sorted({size for points in curves.values() for size in points})
    if len(sizes) < 2:
        raise ValueError(f'a curve needs at least two sizes, got {sizes}')
    ends = [point.mean + side * _spread(point) for points in curves.values() for point in points.values() for side in (-1, 1)]
    ticks = nice_ticks(min(ends), max(ends), 6)

    def across(size: int) -> float:
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def down(value: float) -> float:
        return HEIGHT - BOTTOM - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="8" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
             f'<text x="8" y="{TOP - 10}" fill="#555555">{escape(unit)}</text>',
             f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#555555">'
             'training expressions</text>']
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(tick):.1f}" y2="{down(tick):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down(tick) + 4:.1f}" text-anchor="end" fill="#555555">{tick:g}</text>')
    for size in sizes:
        parts.append(f'<text x="{across(size):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#555555">'
                     f'{size:,}</text>')
    for number, (arm, points) in enumerate(curves.items()):
        places = [(across(size), down(points[size].mean)) for size in sorted(points)]
        bars = [(down(points[size].mean - _spread(points[size])), down(points[size].mean + _spread(points[size])))
                for size in sorted(points)]
        parts += _draw_line(arm, COLOURS[number % len(COLOURS)], places, bars)
    return '\n'.join([*parts, '</svg>', ''])


def _spread(point: Estimate) -> float:
    return 0.0 if math.isnan(point.deviation) else point.deviation


def _draw_line(arm: str, colour: str, places: Sequence[tuple[float, float]], bars: Sequence[tuple[float, float]]) -> list[str]:
    line = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
    parts = [f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for (x, y), (low, high) in zip(places, bars, strict=True):
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
    x, y = places[-1]
    return [*parts, f'<text x="{x + 10:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(arm)}</text>']
