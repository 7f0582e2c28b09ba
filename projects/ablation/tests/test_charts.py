from xml.etree import ElementTree

import pytest

from mmduet.visualization.charts import to_svg
from projects.ablation.charts import BLUE, GREY, draw_curves, draw_gains
from projects.ablation.estimates import estimate

GAINS = {'Acc@0.5': {'full': estimate([9.0, 10.0, 11.0]), 'a<b': estimate([-1.0, 0.0, 1.0])}, 'mIoU': {'full': estimate([5.0])}}


def texts(figure):
    return [text.text for text in ElementTree.fromstring(to_svg(figure)).iter('{http://www.w3.org/2000/svg}text')]


def bars(axes, way):
    """Dot, ends of the interval and colour of each experiment."""
    return [(dots.get_xydata()[0].tolist(), lines[0].get_segments()[0][:, way].tolist(), dots.get_color())
            for dots, _, lines in axes.containers]


def test_an_interval_lies_where_its_numbers_say_and_is_blue_on_one_side_of_zero():
    first, second = draw_gains(GAINS, 'Minus plain').axes
    # 4.302653 / sqrt(3) on either side.
    assert bars(first, 0) == [([10, 0], pytest.approx([7.515862, 12.484138]), BLUE),
                              ([0, 1], pytest.approx([-2.484138, 2.484138]), GREY)]
    assert bars(second, 0) == [([5, 0], [5, 5], GREY)]


def test_experiments_panels_and_the_axis_are_named():
    found = texts(draw_gains(GAINS, 'Minus plain'))
    assert {'Minus plain', 'full', 'a<b', 'Acc@0.5', 'mIoU', '+10'} <= set(found)
    assert found.count('full') == 1


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match='no difference'):
        draw_gains({'Acc@0.5': {}}, 'empty')


def test_a_long_name_has_room():
    name = 'full[model.head.terms.relation.loss_weight=0.25]'
    root = ElementTree.fromstring(to_svg(draw_gains({'mIoU': {name: estimate([1.0, 2.0])}}, 'Minus plain')))
    label = next(text for text in root.iter('{http://www.w3.org/2000/svg}text') if text.text == name)
    assert 'text-anchor: end' in label.get('style')
    assert float(label.get('x', label.get('transform', '0').split('(')[-1].split()[0].rstrip(')'))) > 5.5 * len(name)


def test_points_lie_at_their_sizes_and_means():
    curves = {'plain': {1000: estimate([10.0, 12.0]), 2000: estimate([20.0]), 4000: estimate([30.0])},
              'a<b': {1000: estimate([20.0]), 4000: estimate([40.0])}}
    figure = draw_curves(curves, 'val', 'Acc@0.5, %')
    axes = figure.axes[0]
    assert axes.get_xscale() == 'log'
    assert [container[0].get_xydata().tolist() for container in axes.containers] == [
        [[1000, 11], [2000, 20], [4000, 30]], [[1000, 20], [4000, 40]]]
    assert bars(axes, 1)[0][1] == pytest.approx([11 - 2 ** 0.5, 11 + 2 ** 0.5])
    assert {'val', 'Acc@0.5, %', 'training expressions', '1,000', '4,000', 'plain', 'a<b'} <= set(texts(figure))


def test_one_size_is_no_curve():
    with pytest.raises(ValueError, match=r'at least two sizes, got \[1000\]'):
        draw_curves({'plain': {1000: estimate([10.0])}}, 'val', '%')
