import re
from xml.etree import ElementTree

import pytest

from mmduet.evaluation.report.figures import COLOURS, VARIABLES, draw_curve, draw_histogram, embed

SYSTEMS = [{'name': 'a', 'histogram': [6, *[0] * 18, 4],
            'curve': [{'threshold': k / 20, 'value': 50.0, 'low': 40.0, 'high': 60.0} for k in range(1, 20)]}]


def texts(svg):
    return {text.text for text in ElementTree.fromstring(svg).iter('text')}


def test_axes_are_labelled_with_units():
    assert {'IoU of prediction and target', 'expressions, %'} <= texts(embed(draw_histogram(SYSTEMS), 'x'))
    assert {'IoU that counts as a hit', 'accuracy, %', '100', '0.4'} <= texts(embed(draw_curve(SYSTEMS), 'x'))


def test_bars_have_the_height_of_their_share_and_lie_side_by_side():
    bars = draw_histogram([*SYSTEMS, {'name': 'b', 'histogram': [0, *[0] * 18, 5]}]).axes[0].patches
    assert [(bar.get_x(), bar.get_height()) for bar in bars if bar.get_height()] == [
        (0, 60), (pytest.approx(0.95), 40), (pytest.approx(0.975), 100)]


def test_a_curve_has_its_interval_as_a_band_and_none_where_there_is_no_interval():
    axes = draw_curve(SYSTEMS).axes[0]
    assert axes.lines[-1].get_xydata()[0].tolist() == [0.05, 50]
    band = axes.patches[0].get_xy()
    assert (band[:, 1].min(), band[:, 1].max(), len(band)) == (40, 60, 2 * 19 + 1)
    bare = [{**SYSTEMS[0], 'curve': [{**point, 'low': None, 'high': None} for point in SYSTEMS[0]['curve']]}]
    assert not draw_curve(bare).axes[0].patches


def test_an_embedded_figure_takes_the_colours_of_the_page_and_refers_to_nothing():
    svg = embed(draw_curve([{**SYSTEMS[0], 'name': name} for name in 'abcdefgh']), 'a "curve" & more')
    assert svg.startswith('<svg class="plot" viewBox="0 0 420 290" role="img" aria-label="a &quot;curve&quot; &amp; more">')
    assert {f'--s{number}' for number in range(COLOURS)} <= set(re.findall(r'var\((--\w+)\)', svg))
    assert not [word for word in ('#c0ff', ' id=', 'href', 'url(', 'http', '<style') if word in svg]
    assert len(VARIABLES) == COLOURS + 3


def test_the_same_figures_give_the_same_bytes():
    assert embed(draw_curve(SYSTEMS), 'x') == embed(draw_curve(SYSTEMS), 'x')
