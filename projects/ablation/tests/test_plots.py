from xml.etree import ElementTree

import pytest

from projects.ablation.estimates import estimate
from projects.ablation.plots import BLUE, GREY, draw_gains, nice_ticks

SVG = '{http://www.w3.org/2000/svg}'


@pytest.mark.parametrize(('low', 'high', 'expected'), [
    (0, 17, [0, 5, 10, 15, 20]), (-12.8, 3, [-15, -10, -5, 0, 5]), (0, 0.9, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    (0, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
])
def test_ticks_are_round_and_cover_the_range(low, high, expected):
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_an_interval_lies_where_its_numbers_say():
    gains = {'Acc@0.5': {'full': estimate([9.0, 10.0, 11.0]), 'a<b': estimate([-1.0, 0.0, 1.0])},
             'mIoU': {'full': estimate([5.0])}}
    root = ElementTree.fromstring(draw_gains(gains, 'Minus plain'))
    dots = root.findall(f'{SVG}circle')
    assert len(dots) == 3
    texts = [text.text for text in root.iter(f'{SVG}text')]
    assert 'Minus plain' in texts and 'a<b' in texts and '+10' in texts
    ticks = {line.text: float(line.get('x')) for line in root.iter(f'{SVG}text') if line.text in ('+0', '+10')}
    assert float(dots[0].get('cx')) == pytest.approx(ticks['+10'], abs=0.1)
    assert (dots[0].get('fill'), dots[1].get('fill')) == (BLUE, GREY)
    interval = next(line for line in root.iter(f'{SVG}line') if line.get('stroke') == BLUE)
    # 4.302653 / sqrt(3) on either side.
    scale = (ticks['+10'] - float(dots[1].get('cx'))) / 10
    assert float(interval.get('x2')) - float(interval.get('x1')) == pytest.approx(2 * 2.484138 * scale, abs=0.3)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match='no difference'):
        draw_gains({'Acc@0.5': {}}, 'empty')


def test_a_long_name_has_room():
    name = 'full[model.head.semantic.relation_weight=0.25]'
    root = ElementTree.fromstring(draw_gains({'mIoU': {name: estimate([1.0, 2.0])}}, 'Minus plain'))
    label = next(text for text in root.iter(f'{SVG}text') if text.text == name)
    assert float(label.get('x')) >= 6.5 * len(name)
