"""Figures of the page as SVG whose colours follow the page's."""
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmduet.visualization.charts import chart_style, new_figure, to_svg

WIDTH, HEIGHT, LETTERS = 420, 290, 13
COLOURS = 6
# matplotlib knows no variables of a style sheet: it draws with these colours, and the page's are put in their places.
INK, SOFT, RULE = '#c0ffe0', '#c0ffe1', '#c0ffe2'
# Beside the colour, for who cannot tell it and for print.
LINES = ('-', (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))
OPACITIES = (1.0, 0.35)
SYSTEMS = tuple(f'#c0ffd{number}' for number in range(COLOURS))
VARIABLES = {INK: '--ink', SOFT: '--soft', RULE: '--rule', **{colour: f'--s{number}' for number, colour in enumerate(SYSTEMS)}}
NAMESPACE = '{http://www.w3.org/2000/svg}'

System = Mapping[str, Any]


@chart_style()
def draw_histogram(systems: Sequence[System]) -> Figure:
    """Share of the expressions, in percent, by IoU."""
    figure, axes = _make_axes('IoU of prediction and target', 'expressions, %')
    for number, system in enumerate(systems):
        counts = np.array(system['histogram'])
        width = 1 / len(counts) / len(systems)
        left = np.arange(len(counts)) / len(counts) + number * width
        axes.bar(left, 100 * counts / counts.sum(), width, align='edge', linewidth=1.2, color=_colour(number),
                 alpha=OPACITIES[number % len(OPACITIES)])
    return figure


@chart_style()
def draw_curve(systems: Sequence[System]) -> Figure:
    """Accuracy, in percent with its interval, by the threshold of the IoU."""
    figure, axes = _make_axes('IoU that counts as a hit', 'accuracy, %')
    axes.set_ylim(0, 100)
    for number, system in enumerate(systems):
        points = system['curve']
        thresholds = [point['threshold'] for point in points]
        if any(point['low'] is not None for point in points):
            low, high = ([point['value'] if point[end] is None else point[end] for point in points] for end in ('low', 'high'))
            axes.fill([*thresholds, *thresholds[::-1]], [*high, *low[::-1]], color=_colour(number), alpha=0.18, linewidth=0)
        axes.plot(thresholds, [point['value'] for point in points], color=_colour(number), linewidth=2.5,
                  linestyle=LINES[number % COLOURS])
    return figure


def embed(figure: Figure, label: str) -> Markup:
    """A figure as an element of a page: in the page's colours, named for who cannot see it, without ids and links."""
    figure.draw_without_rendering()
    for artist in figure.findobj():
        artist.set_clip_on(False)  # a frame that cuts would be referred to by its id
    root = ElementTree.fromstring(to_svg(figure))
    for name in ('metadata', 'defs'):
        for element in root.findall(f'{NAMESPACE}{name}'):
            root.remove(element)
    for element in root.iter():
        element.tag = element.tag.removeprefix(NAMESPACE)
        element.attrib.pop('id', None)
    root.attrib = {'class': 'plot', 'viewBox': root.attrib['viewBox'], 'role': 'img', 'aria-label': label}
    text = ElementTree.tostring(root, encoding='unicode')
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f'var({variable})')
    return Markup(text)


def _colour(number: int) -> str:
    return SYSTEMS[number % COLOURS]


def _make_axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = new_figure(WIDTH, HEIGHT)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot(facecolor='none')
    axes.set_xlim(0, 1)
    axes.set_xlabel(x_label, fontsize=LETTERS, color=INK)
    axes.set_ylabel(y_label, fontsize=LETTERS, color=INK)
    axes.tick_params(labelsize=LETTERS, labelcolor=SOFT, bottom=False, left=False)
    axes.grid(axis='x', visible=False)
    axes.grid(axis='y', color=RULE)
    axes.spines[:].set_visible(False)
    axes.axvline(0.5, color=SOFT, linewidth=1, linestyle=(0, (4, 4)))
    return figure, axes
