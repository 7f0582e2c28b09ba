from xml.etree import ElementTree

import pytest

from projects.ablation.curves import draw_curves
from projects.ablation.estimates import estimate

SVG = '{http://www.w3.org/2000/svg}'


def test_points_lie_on_a_logarithmic_axis_at_their_means():
    curves = {'plain': {1000: estimate([10.0, 12.0]), 2000: estimate([20.0]), 4000: estimate([30.0])},
              'a<b': {1000: estimate([20.0]), 4000: estimate([40.0])}}
    root = ElementTree.fromstring(draw_curves(curves, 'val', 'Acc@0.5, %'))
    dots = [(float(dot.get('cx')), float(dot.get('cy'))) for dot in root.findall(f'{SVG}circle')]
    assert len(dots) == 5
    # Twice the expressions are as far again; 20 % is one height.
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.2)
    assert dots[1][1] == pytest.approx(dots[3][1], abs=0.1)
    texts = [text.text for text in root.iter(f'{SVG}text')]
    assert {'val', 'Acc@0.5, %', 'training expressions', '1,000', '4,000', 'plain', 'a<b'} <= set(texts)
    axis = {text.text: float(text.get('y')) - 4 for text in root.iter(f'{SVG}text') if text.text in ('20', '30')}
    assert axis == {'20': pytest.approx(dots[1][1], abs=0.1), '30': pytest.approx(dots[2][1], abs=0.1)}


def test_one_size_is_no_curve():
    with pytest.raises(ValueError, match=r'at least two sizes, got \[1000\]'):
        draw_curves({'plain': {1000: estimate([10.0])}}, 'val', '%')
