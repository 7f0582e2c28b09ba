"""Sections of the page with tables and figures; everything that comes from files is escaped here."""
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from mmduet.evaluation.report.figures import COLOURS, draw_curve, draw_histogram, draw_interval
from mmduet.evaluation.report.outcomes import OUTCOMES
from mmduet.evaluation.report.summary import MAIN, METRICS, MIOU

Figure = Mapping[str, float | None]
Figures = Mapping[str, Any]
TITLES = {**{name: f'Acc@{name[4:]}' for name in METRICS if name != MIOU}, MIOU: 'mIoU'}
CHANCE = 0.05
# A slice of fewer expressions is shown in grey, and never named as a weakness.
FEW = 30
WEAKEST = 3
MISTAKES = 10
# What is said with every score.
KEPT_OUT = {'yes': 'Pre-training saw none of these images.', 'no': 'Pre-training <strong>may have seen</strong> these images.',
            'unknown': 'Whether pre-training saw these images is unknown.'}
SWATCH = {name: f'o{number}' for number, name in enumerate(OUTCOMES)}


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A figure with a true minus; a dash for what cannot be said."""
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


def key(index: int, name: str) -> str:
    """A name after its colour."""
    return f'<span class="key s{index % COLOURS}"></span>{escape(name)}'


def legend(systems: Sequence[Figures], target: bool = False) -> str:
    """Colours of the systems, and of the target where asked for."""
    first = '<li><span class="key target"></span>target</li>' if target else ''
    items = ''.join(f'<li>{key(index, system["name"])}</li>' for index, system in enumerate(systems))
    return f'<ul class="legend">{first}{items}</ul>'


def lead(figures: Figures) -> str:
    """The result in a sentence or two per system."""
    systems, parts = figures['systems'], []
    for index, system in enumerate(systems):
        main = system['metrics'][MAIN]
        known = 'no interval' if main['low'] is None else f'95 % interval {interval(main)}'
        parts.append(f'<p class="lead">{key(index, system["name"])} finds <strong>{number(main["value"])} %</strong> of the '
                     f'targets (IoU at least 0.5; {known}). {KEPT_OUT[system["pretrain_kept_out"]]}</p>')
    for comparison in figures['comparisons']:
        parts.append(f'<p class="lead">{verdict(comparison, figures["permutations"])}</p>')
    weak = ['' if not (found := weaknesses(figures, index)) else
            f'<p>Weakest spots of {escape(system["name"])}: {", ".join(map(escape, found))}.</p>'
            for index, system in enumerate(systems)]
    return ''.join([*parts, *weak])


def verdict(comparison: Figures, permutations: int) -> str:
    """Whether two systems differ, in a sentence."""
    main = comparison['metrics'][MAIN]
    first, second = escape(comparison['first']), escape(comparison['second'])
    low, high, p = main['low'], main['high'], main['p']
    known = '' if low is None else f'95 % interval {interval(main, sign=True)}; '
    figures = f'{TITLES[MAIN]} ({known}{chance(p, permutations)})'
    if low is None or p >= CHANCE or low <= 0 <= high:
        return (f'<strong>No difference beyond chance</strong> between {second} and {first}: '
                f'{number(main["value"], sign=True)} points of {figures}.')
    side = 'better' if main['value'] > 0 else 'worse'
    return f'{second} is <strong>{side}</strong> than {first} by {number(abs(main["value"]))} points of {figures}.'


def weaknesses(figures: Figures, index: int) -> list[str]:
    """The lowest slices whose interval lies below the figure over all expressions."""
    overall = figures['systems'][index]['metrics'][MAIN]['value']
    mains = [(part, part['systems'][index][MAIN]) for part in figures['slices'] if part['expressions'] >= FEW]
    below = [(main['value'], part['phrase']) for part, main in mains if main['high'] is not None and main['high'] < overall]
    return [f'{phrase} ({number(value)} %)' for value, phrase in sorted(below)[:WEAKEST]]


def scores(figures: Figures) -> str:
    """All metrics of all systems, then the differences."""
    systems = figures['systems']
    head = ''.join(f'<th scope="col">{key(index, system["name"])}</th>' for index, system in enumerate(systems))
    rows = [f'<tr><th scope="row">{TITLES[name]}, %</th>' + ''.join(
        f'<td>{number(system["metrics"][name]["value"])}<small>{interval(system["metrics"][name])}</small></td>'
        for system in systems) + '</tr>' for name in METRICS]
    rows.append('<tr><th scope="row">images kept out of pre-training</th>'
                + ''.join(f'<td>{escape(system["pretrain_kept_out"])}</td>' for system in systems) + '</tr>')
    return _table(f'<tr><th scope="col">metric</th>{head}</tr>', rows, 'narrow')


def comparison(one: Figures, permutations: int) -> str:
    """Differences of two systems, and how many expressions changed sides."""
    rows = []
    for name in METRICS:
        figure = one['metrics'][name]
        rows.append(f'<tr><th scope="row">{TITLES[name]}</th><td{_side(figure)}>{number(figure["value"], sign=True)}'
                    f'<small>{interval(figure, sign=True)}</small></td><td>{chance(figure["p"], permutations)}</td></tr>')
    head = '<tr><th scope="col">metric</th><th scope="col">difference, points</th><th scope="col">permutation test</th></tr>'
    first, second = escape(one['first']), escape(one['second'])
    counts = [('both find the target', one['both_right']), (f'only {second}', len(one['gained'])),
              (f'only {first}', len(one['lost'])), ('neither', one['both_wrong'])]
    cells = [f'<tr><th scope="row">{name}</th><td>{count:,}</td></tr>' for name, count in counts]
    counted = _table('<tr><th scope="col">at an IoU of at least 0.5</th><th scope="col">expressions</th></tr>', cells)
    return (f'<div class="figures"><div><h3>{second} minus {first}</h3>{_table(head, rows)}</div>'
            f'<div><h3>Who finds the target</h3>{counted}</div></div>')


def _side(figure: Figure) -> str:
    low, high = figure['low'], figure['high']
    if low is None or high is None or low <= 0 <= high:
        return ''
    return ' class="better"' if low > 0 else ' class="worse"'


def charts(figures: Figures) -> str:
    """Histogram and curve, side by side where there is room."""
    systems = figures['systems']
    fit = ('Share of the expressions (%) for each twentieth of the IoU, which runs from 0 (apart) to 1 (equal). The dashed '
           'line is the usual limit of 0.5.')
    accuracy = 'Accuracy (%) if a hit needs at least this IoU, with the 95 % interval as a band.'
    return (f'{legend(systems)}<div class="figures">'
            f'<figure>{draw_histogram(systems)}<figcaption class="about">{fit}</figcaption></figure>'
            f'<figure>{draw_curve(systems)}<figcaption class="about">{accuracy}</figcaption></figure></div>')


def slices(figures: Figures) -> str:
    """Accuracy of every slice beside that of everything."""
    systems, parts = figures['systems'], figures['slices']
    overall = [system['metrics'][MAIN]['value'] for system in systems]
    lone = len(systems) == 1
    head = '<tr><th scope="col">expressions with</th><th scope="col">how many</th>' + ''.join(
        f'<th scope="col">{key(index, system["name"]) if not lone else ""} {TITLES[MAIN]}, %</th>'
        for index, system in enumerate(systems))
    if lone:
        head += f'<th scope="col" class="wide">{TITLES[MIOU]}, %</th>'
    head += ''.join(f'<th scope="col" class="wide">{escape(other["second"])} minus {escape(other["first"])}, points</th>'
                    for other in figures['comparisons']) + '</tr>'
    columns = 3 + len(systems) - 1 + (1 if lone else len(systems) - 1)
    rows = []
    for group, members in groupby(parts, key=lambda part: part['group']):
        rows.append(f'<tr class="group"><th colspan="{columns}" scope="rowgroup">{escape(group)}</th></tr>')
        rows += [_slice_row(part, overall, lone) for part in members]
    return _table(head, rows)


def _slice_row(part: Figures, overall: Sequence[float], lone: bool) -> str:
    cells = [f'<td>{number(figure[MAIN]["value"])}<small>{interval(figure[MAIN])}</small>'
             f'{draw_interval(figure[MAIN], overall[index], 0, 100, f"s{index % COLOURS}")}</td>'
             for index, figure in enumerate(part['systems'])]
    if lone:
        figure = part['systems'][0][MIOU]
        cells.append(f'<td class="wide">{number(figure["value"])}<small>{interval(figure)}</small></td>')
    for figure in part['differences']:
        side = _side(figure) if part['expressions'] >= FEW else ''
        mark = side.replace('class="', 'class="wide ') if side else ' class="wide"'
        cells.append(f'<td{mark}>{number(figure["value"], sign=True)}<small>{interval(figure, sign=True)}</small></td>')
    few = ' class="few"' if part['expressions'] < FEW else ''
    return f'<tr{few}><th scope="row">{escape(part["name"])}</th><td>{part["expressions"]:,}</td>{"".join(cells)}</tr>'


def outcomes(figures: Figures) -> str:
    """What predictions found, and which objects were taken for the target."""
    parts = []
    systems, total = figures['systems'], figures['expressions']
    shown = [name for name in OUTCOMES if any(system['outcomes'][name] for system in systems)]
    for index, system in enumerate(systems):
        bars = ''.join(f'<span class="{SWATCH[name]}" style="width:{100 * system["outcomes"][name] / total:.3f}%"></span>'
                       for name in shown)
        parts.append((f'<p class="about">{key(index, system["name"])}</p>' if len(systems) > 1 else '')
                     + f'<div class="stack" aria-hidden="true">{bars}</div>')
    columns = [(f'{escape(system["name"])}, ' if len(systems) > 1 else '') + '% (number)' for system in systems]
    head = '<tr><th scope="col">the box is on</th>' + ''.join(f'<th scope="col">{title}</th>' for title in columns) + '</tr>'
    rows = [f'<tr><th scope="row"><span class="dot {SWATCH[name]}"></span>{name}</th>' + ''.join(
        f'<td>{number(100 * system["outcomes"][name] / total)}<small>{system["outcomes"][name]:,}</small></td>'
        for system in systems) + '</tr>' for name in shown]
    parts.append(_table(head, rows, 'narrow'))
    if any(system['mistaken'] for system in systems):
        lists = ''.join(f'<div>{_mistakes(index, system, len(systems) > 1)}</div>' for index, system in enumerate(systems))
        parts.append(f'<h3>Taken for the target most often</h3><div class="figures">{lists}</div>')
    return ''.join(parts)


def _mistakes(index: int, system: Figures, named: bool) -> str:
    rows = [f'<tr><th scope="row">{escape(pair["target"])}</th><td class="left">{escape(pair["found"])}</td>'
            f'<td>{pair["count"]:,}</td></tr>' for pair in system['mistaken'][:MISTAKES]]
    head = '<tr><th scope="col">target</th><th scope="col" class="left">found instead</th><th scope="col">times</th></tr>'
    return (f'<p class="about">{key(index, system["name"])}</p>' if named else '') + _table(head, rows)


def _table(head: str, rows: Sequence[str], kind: str = '') -> str:
    return (f'<div class="scroll"><table{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}><thead>{head}</thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div>')
