import pytest

from mmduet.evaluation.report import phrases


def compared(value, low, high, p):
    return {'first': 'a', 'second': '<b>', 'metrics': {'acc@0.5': {'value': value, 'low': low, 'high': high, 'p': p}}}


@pytest.mark.parametrize(('one', 'text'), [
    (compared(3.04, 1.0, 5.0, 0.00009), '&lt;b&gt; is <strong>better</strong> than a by 3.0 points of Acc@0.5 '
                                        '(95 % interval +1.0 to +5.0; p\N{NO-BREAK SPACE}≤\N{NO-BREAK SPACE}0.0001).'),
    (compared(-3.0, -5.0, -1.0, 0.012), '&lt;b&gt; is <strong>worse</strong> than a by 3.0 points'),
    (compared(1.0, -1.0, 3.0, 0.3), '<strong>No difference beyond chance</strong> between &lt;b&gt; and a: +1.0 points'),
    (compared(1.0, 0.1, 3.0, 0.06), 'No difference beyond chance'),
    (compared(1.0, None, None, 0.5), '+1.0 points of Acc@0.5 (p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.5).')])
def test_the_verdict_needs_interval_and_test(one, text):
    assert text in phrases.verdict(one, 10000)


def test_numbers_have_a_true_minus_and_a_dash_stands_for_none():
    assert [phrases.number(-1.25), phrases.number(2.0, sign=True), phrases.number(None)] == ['−1.2', '+2.0', '–']


def test_weak_spots_lie_below_the_average_with_their_interval_and_are_not_few():
    def part(phrase, count, value, high):
        return {'phrase': phrase, 'expressions': count, 'systems': [{'acc@0.5': {'value': value, 'low': 0.0, 'high': high}}]}

    figures = {'systems': [{'metrics': {'acc@0.5': {'value': 60.0}}}],
               'slices': [part('few', 29, 10.0, 20.0), part('wide', 99, 40.0, 61.0), part('weak', 99, 50.0, 55.0),
                          part('weaker', 99, 30.0, 35.0), part('alone', 99, 20.0, None)]}
    assert phrases.weaknesses(figures, 0) == ['weaker (30.0 %)', 'weak (50.0 %)']
