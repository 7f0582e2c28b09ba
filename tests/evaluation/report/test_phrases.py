from mmduet.evaluation.report import phrases


def test_numbers_have_a_true_minus_and_a_dash_stands_for_none():
    assert [phrases.number(-1.25), phrases.number(2.0, sign=True), phrases.number(None)] == ['−1.2', '+2.0', '–']


def test_weak_spots_lie_below_the_average_with_their_interval_and_are_not_few():
    def part(phrase, count, value, high):
        return {'phrase': phrase, 'expressions': count, 'systems': [{'acc@0.5': {'value': value, 'low': 0.0, 'high': high}}]}

    figures = {'systems': [{'metrics': {'acc@0.5': {'value': 60.0}}}],
               'slices': [part('few', 29, 10.0, 20.0), part('wide', 99, 40.0, 61.0), part('weak', 99, 50.0, 55.0),
                          part('weaker', 99, 30.0, 35.0), part('alone', 99, 20.0, None)]}
    assert phrases.weaknesses(figures, 0) == ['weaker (30.0 %)', 'weak (50.0 %)']
