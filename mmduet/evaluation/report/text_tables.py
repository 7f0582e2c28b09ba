"""Tables of a report as LaTeX and as Markdown, to be copied into a paper or an issue."""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmduet.evaluation.report.phrases import TITLES, chance, interval, number
from mmduet.evaluation.report.summary import MAIN, MIOU

Rows = Sequence[Sequence[str]]
_LATEX = {'\\': r'\textbackslash{}', '&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_', '{': r'\{', '}': r'\}',
          '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '<': r'\textless{}', '>': r'\textgreater{}', '−': '$-$',
          '≤': r'$\leq$', '–': '--', '\N{NO-BREAK SPACE}': '~'}
_MARKDOWN = '\\`*_{}[]<>#|~'


class TextTable(NamedTuple):
    """One table in two languages."""

    title: str
    latex: str
    markdown: str


def make_tables(figures: Mapping[str, Any]) -> list[TextTable]:
    """Scores, differences and slices; intervals stand in brackets."""
    systems = figures['systems']
    names = [system['name'] for system in systems]
    tables = [make_table('Scores', ['system', *TITLES.values()], [
        [system['name'], *(_with_interval(system['metrics'][name]) for name in TITLES)] for system in systems])]
    for one in figures['comparisons']:
        tables.append(make_table(f'{one["second"]} minus {one["first"]}', ['metric', 'difference, points', 'p'], [
            [title, _with_interval(one['metrics'][name], sign=True), chance(one['metrics'][name]['p'], figures['permutations'])]
            for name, title in TITLES.items()]))
    if figures['slices']:
        heads = [f'{name}, {TITLES[metric]}' for name in names for metric in (MAIN, MIOU)]
        tables.append(make_table('Slices', ['expressions with', 'of', 'how many', *heads], [
            [part['name'], part['group'], f'{part["expressions"]:,}',
             *(_with_interval(system[metric]) for system in part['systems'] for metric in (MAIN, MIOU))]
            for part in figures['slices']]))
    return tables


def make_table(title: str, head: Sequence[str], rows: Rows) -> TextTable:
    """A table with a head line; the first column is left, the others are right.

    >>> print(make_table('x', ['a_b', 'n'], [['50 %', '1']]).markdown)
    | a\\_b | n |
    |:---|---:|
    | 50 % | 1 |
    """
    latex = [r'\begin{tabular}{l' + 'r' * (len(head) - 1) + '}', r'\toprule', _latex_row(head), r'\midrule',
             *map(_latex_row, rows), r'\bottomrule', r'\end{tabular}']
    markdown = [_markdown_row(head), '|:---|' + '---:|' * (len(head) - 1), *map(_markdown_row, rows)]
    return TextTable(title, '\n'.join(latex), '\n'.join(markdown))


def _with_interval(figure: Mapping[str, float | None], sign: bool = False) -> str:
    value = number(figure['value'], sign=sign)
    return value if figure['low'] is None else f'{value} [{interval(figure, sign=sign)}]'


def _latex_row(cells: Sequence[str]) -> str:
    return ' & '.join(''.join(_LATEX.get(letter, letter) for letter in _one_line(cell)) for cell in cells) + r' \\'


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = (''.join(f'\\{letter}' if letter in _MARKDOWN else letter for letter in _one_line(cell)) for cell in cells)
    return f'| {" | ".join(escaped)} |'


def _one_line(cell: str) -> str:
    return ' '.join(cell.split(' ')).replace('\n', ' ').replace('\r', ' ')
