"""Figures of the page as SVG whose colours follow the page's."""
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 420, 290
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 14, 50
COLOURS = 6
TICKS = 5


def draw_histogram(systems: Sequence[Mapping[str, Any]]) -> str:
    """Share of the expressions, in percent, by IoU."""
    shares = [[100 * count / sum(system['histogram']) for count in system['histogram']] for system in systems]
    top = _round_up(max(max(share) for share in shares))
    parts = _frame(top, 'IoU of prediction and target', 'expressions, %')
    bins = len(shares[0])
    for number, (system, share) in enumerate(zip(systems, shares, strict=True)):
        wide = 1 / bins / len(shares)
        for k, value in enumerate(share):
            x = k / bins + number * wide
            hint = f'{system["name"]}, IoU {k / bins:.2f} to {(k + 1) / bins:.2f}: {value:.1f} %'
            parts.append(f'<rect class="fill s{number % COLOURS}" x="{_x(x) + 0.5:.1f}" y="{_y(value / top):.1f}" '
                         f'width="{_x(x + wide) - _x(x) - 1:.1f}" height="{_y(0) - _y(value / top):.1f}">'
                         f'<title>{escape(hint)}</title></rect>')
    parts.append(_threshold_line())
    return _svg(parts, 'Histogram of the IoU: share of the expressions in percent for each twentieth of the IoU')


def draw_curve(systems: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy, in percent with its interval, by the threshold of the IoU."""
    parts = _frame(100.0, 'IoU that counts as a hit', 'accuracy, %')
    for number, system in enumerate(systems):
        colour = f's{number % COLOURS}'
        points = system['curve']
        line = ' '.join(f'{_x(point["threshold"]):.1f},{_y(point["value"] / 100):.1f}' for point in points)
        if any(point['low'] is not None for point in points):
            edge = [(point['threshold'], _end(point, 'high')) for point in points]
            edge += [(point['threshold'], _end(point, 'low')) for point in reversed(points)]
            band = ' '.join(f'{_x(threshold):.1f},{_y(value / 100):.1f}' for threshold, value in edge)
            parts.append(f'<polygon class="band {colour}" points="{band}"/>')
        parts.append(f'<polyline class="line {colour}" points="{line}"><title>{escape(str(system["name"]))}</title></polyline>')
    parts.append(_threshold_line())
    return _svg(parts, 'Accuracy in percent by the IoU that counts as a hit, with the 95 % interval')


def draw_interval(figure: Mapping[str, float | None], overall: float, low: float, high: float, colour: str) -> str:
    """A small bar for a table: value and interval on an axis from ``low`` to ``high``, ``overall`` as a thin line."""
    def place(value: float) -> str:
        return f'{100 * min(max((value - low) / (high - low), 0), 1):.2f}'

    value = figure['value']
    parts = [f'<line class="overall" x1="{place(overall)}" x2="{place(overall)}" y1="0" y2="12"/>']
    if value is not None and figure['low'] is not None and figure['high'] is not None:
        parts.append(f'<line class="span {colour}" x1="{place(figure["low"])}" x2="{place(figure["high"])}" y1="6" y2="6"/>')
    if value is not None:
        parts.append(f'<line class="tick {colour}" x1="{place(value)}" x2="{place(value)}" y1="1.5" y2="10.5"/>')
    return f'<svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'


def _end(point: Mapping[str, Any], side: str) -> float:
    """An end of an interval; where there is none, the value."""
    return float(point['value'] if point[side] is None else point[side])


def _x(fraction: float) -> float:
    return LEFT + fraction * (WIDTH - LEFT - RIGHT)


def _y(fraction: float) -> float:
    return HEIGHT - BOTTOM - fraction * (HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """The next number whose fifth part is round."""
    return next((float(limit) for limit in (5, 10, 20, 25, 50) if value <= limit), 100.0)


def _frame(top: float, x_label: str, y_label: str) -> list[str]:
    parts = []
    for k in range(TICKS + 1):
        x, y = _x(k / TICKS), _y(k / TICKS)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{top * k / TICKS:g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{k / TICKS:g}</text>')
    parts.append(f'<text class="label" x="{_x(0.5):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    middle = _y(0.5)
    parts.append(f'<text class="label" x="13" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 13 {middle:.1f})">'
                 f'{escape(y_label)}</text>')
    return parts


def _threshold_line() -> str:
    return f'<line class="half" x1="{_x(0.5):.1f}" x2="{_x(0.5):.1f}" y1="{TOP}" y2="{_y(0):.1f}"/>'


def _svg(parts: Sequence[str], label: str) -> str:
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
