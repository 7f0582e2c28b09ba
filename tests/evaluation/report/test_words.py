import pytest

from mmduet.evaluation.report.words import kinds_of_words, split_words


@pytest.mark.parametrize(('expression', 'kinds'), [
    ('left cup', {'spatial'}), ('laptop', set()), ('the bright one', {'attribute'}), ('2nd dog', {'ordinal'}),
    ('left of the car', {'spatial', 'relational'}), ('left of the picture', {'spatial'}), ('guy on left', {'spatial'}),
    ('on the left side of the photo', {'spatial'}), ('man in front of the bus', {'spatial', 'relational'}),
    ('cup on the table', {'relational'}), ('the third red cup from left, next to a plate',
                                           {'ordinal', 'attribute', 'spatial', 'relational'}),
    ('LEFTMOST Man', {'spatial'}), ('woman', set()), ('in the middle of the two dogs', {'spatial', 'relational'})])
def test_whole_words_say_the_kinds(expression, kinds):
    assert kinds_of_words(expression) == kinds


def test_words_have_no_punctuation_and_no_case():
    assert split_words("The man's CUP, (left)!") == ['the', "man's", 'cup', 'left']
    assert split_words('левая чашка') == ['левая', 'чашка']
