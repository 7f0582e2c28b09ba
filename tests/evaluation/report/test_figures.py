from xml.etree import ElementTree

import pytest

from mmduet.evaluation.report.figures import draw_curve, draw_histogram, draw_interval

SYSTEMS = [{'name': 'a<b', 'histogram': [6, *[0] * 18, 4],
            'curve': [{'threshold': k / 20, 'value': 50.0, 'low': 40.0, 'high': 60.0} for k in range(1, 20)]}]


def texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter('text')]


def test_axes_are_labelled_with_units():
    assert {'IoU of prediction and target', 'expressions, %'} <= set(texts(draw_histogram(SYSTEMS)))
    assert {'IoU that counts as a hit', 'accuracy, %', '100', '0.4'} <= set(texts(draw_curve(SYSTEMS)))


def test_bars_have_the_height_of_their_share():
    bars = list(ElementTree.fromstring(draw_histogram(SYSTEMS)).iter('rect'))
    heights = [float(bar.get('height')) for bar in bars]
    assert len(bars) == 20
    assert heights[0] / heights[-1] == pytest.approx(1.5, rel=0.01)
    assert bars[0].find('title').text == 'a<b, IoU 0.00 to 0.05: 60.0 %'


def test_a_curve_without_intervals_has_no_band():
    bare = [{**SYSTEMS[0], 'curve': [{**point, 'low': None, 'high': None} for point in SYSTEMS[0]['curve']]}]
    assert '<polygon' in draw_curve(SYSTEMS)
    assert '<polygon' not in draw_curve(bare)


def test_an_interval_lies_on_its_axis_and_never_outside():
    svg = draw_interval({'value': 50.0, 'low': 45.0, 'high': 120.0}, 60.0, 0, 100, 's0')
    lines = {line.get('class'): (line.get('x1'), line.get('x2')) for line in ElementTree.fromstring(svg).iter('line')}
    assert lines == {'overall': ('60.00', '60.00'), 'span s0': ('45.00', '100.00'), 'tick s0': ('50.00', '50.00')}
    assert 'span' not in draw_interval({'value': 50.0, 'low': None, 'high': None}, 60.0, 0, 100, 's0')
