import matplotlib
from matplotlib.figure import Figure

from mmduet.visualization.charts import chart_style, new_figure, to_svg


@chart_style()
def draw() -> Figure:
    figure = new_figure(200, 100)
    figure.add_subplot(title='a < b').plot([0, 1], [1, 3])
    return figure


def test_the_same_chart_gives_the_same_bytes_whatever_the_settings_are():
    once = to_svg(draw())
    with matplotlib.rc_context({'font.size': 30, 'svg.hashsalt': None, 'lines.linewidth': 9}):
        assert to_svg(draw()) == once


def test_a_chart_has_its_size_in_points_letters_that_are_letters_and_no_date():
    svg = to_svg(draw())
    assert 'viewBox="0 0 200 100"' in svg and '>a &lt; b</text>' in svg
    assert 'date' not in svg and '20' + '26' not in svg
