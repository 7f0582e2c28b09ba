"""Charts of a study: differences with their intervals, and scores over the number of training expressions."""
import math
from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from mmduet.visualization.charts import chart_style, new_figure
from projects.ablation.estimates import Estimate

ROW, PANEL, LETTER, MARGINS = 22, 300, 7, 78
BLUE, GREY, RULE = '#1f5fa8', '#9aa0a6', '#dddddd'


@chart_style()
def draw_gains(panels: Mapping[str, Mapping[str, Estimate]], title: str) -> Figure:
    """A dot and an interval for each difference, blue where the interval lies on one side of zero.

    Args:
        panels: for each title of a panel, the difference of each experiment; a panel has the experiments that it has.
        title: above all.

    Raises:
        ValueError: there is no experiment to draw.
    """
    experiments = list(dict.fromkeys(experiment for gains in panels.values() for experiment in gains))
    if not experiments:
        raise ValueError('there is no difference to draw')
    figure = new_figure(LETTER * max(map(len, experiments)) + PANEL * len(panels), ROW * len(experiments) + MARGINS)
    figure.suptitle(title, fontweight='bold', x=0.01, horizontalalignment='left')
    for axes, (name, gains) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True):
        axes.set_title(name, fontsize='medium')
        axes.grid(axis='x', color=RULE)
        axes.grid(axis='y', visible=False)
        axes.axvline(0, color='black', linewidth=1)
        for experiment, gain in gains.items():
            half = _spread(gain.half_width)
            colour = BLUE if half and abs(gain.mean) > half else GREY
            axes.errorbar(gain.mean, experiments.index(experiment), xerr=half, color=colour, fmt='o', linewidth=2.5)
        axes.set_yticks(range(len(experiments)), experiments)
        axes.set_ylim(len(experiments) - 0.5, -0.5)
        axes.tick_params(bottom=False, left=False)
        axes.xaxis.set_major_formatter(StrMethodFormatter('{x:+g}'))
        axes.spines[:].set_visible(False)
    return figure


@chart_style()
def draw_curves(curves: Mapping[str, Mapping[int, Estimate]], title: str, unit: str) -> Figure:
    """Means and standard deviations of each experiment over a logarithmic axis of numbers of training expressions.

    Args:
        curves: for each experiment, the score at each number of training expressions.
        title: above all.
        unit: of the scores, for the axis.

    Raises:
        ValueError: there are fewer than two sizes to draw.
    """
    sizes = sorted({size for points in curves.values() for size in points})
    if len(sizes) < 2:
        raise ValueError(f'a curve needs at least two sizes, got {sizes}')
    figure = new_figure(560, 320)
    axes = figure.add_subplot(xscale='log', xlabel='training expressions', ylabel=unit)
    axes.set_title(title, fontweight='bold', loc='left')
    axes.grid(color=RULE)
    for experiment, points in curves.items():
        known = sorted(points)
        axes.errorbar(known, [points[size].mean for size in known], yerr=[_spread(points[size].deviation) for size in known],
                      fmt='o-', label=experiment)
    axes.set_xticks(sizes, [f'{size:,}' for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False)
    return figure


def _spread(value: float) -> float:
    return 0.0 if math.isnan(value) else value
