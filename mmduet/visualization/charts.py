"""Charts as SVG text: the same bytes for the same figures, and letters as letters."""
import io
import re
from functools import partial

from matplotlib import style
from matplotlib.figure import Figure

POINTS_PER_INCH = 72
# Ids come from a fixed salt, and letters stay letters, which can be searched, scaled and read aloud.
STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'mmduet', 'font.family': 'sans-serif', 'font.size': 12, 'axes.axisbelow': True,
         'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True}
# Drawing alike on every machine, whatever its settings of matplotlib are: a context, or a decorator of a function that draws.
chart_style = partial(style.context, ['default', STYLE])


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many SVG units (points), whose axes find room for their labels."""
    return Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), layout='constrained')


@chart_style()
def to_svg(figure: Figure) -> str:
    """An SVG document, without a date."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None})
    # A hundredth of a point is seen by nobody.
    text = re.sub(r'(\.\d\d)\d+', r'\1', buffer.getvalue())
    return '\n'.join(filter(None, map(str.strip, text.splitlines()))) + '\n'
