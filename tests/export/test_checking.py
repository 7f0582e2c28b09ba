import numpy as np
import pytest

from mmduet.apis import GroundingResult, GroundingResults
from mmduet.export.checking import accuracy, compare, draw_pairs, iou_of, read_questions
from mmduet.io.errors import DataError
from tests.tiny_grounder import make_data_root


def answers(*boxes, scores=(None, None), expressions=('a', 'b'), size=(100, 50)):
    return GroundingResults(GroundingResult('a.png', text, box, score, size, None)
                            for box, score, text in zip(boxes, scores, expressions, strict=True))


def test_differences_are_in_widths_and_heights_of_the_image():
    expected = answers((0.0, 0.0, 50.0, 50.0), (10.0, 10.0, 20.0, 20.0), scores=(0.5, 0.25))
    found = answers((0.0, 0.0, 25.0, 50.0), (10.0, 10.0, 20.0, 20.5), scores=(0.5, 0.375))
    difference = compare(expected, found)
    assert (difference.pairs, difference.largest, difference.score) == (2, 0.25, 0.125)
    assert difference.mean == pytest.approx((0.25 + 0.01) / 8)
    assert (difference.least_iou, difference.mean_iou) == (0.5, pytest.approx((0.5 + 10 / 10.5) / 2))
    assert not difference.is_small
    assert str(difference) == ('2 pairs: boxes differ by 2.5e-01 of the image at most, 3.3e-02 in the mean; IoU of both '
                               'answers 0.5000 at least, 0.7262 in the mean, scores by 1.2e-01 at most')


@pytest.mark.parametrize(('move', 'small'), [(0.009, True), (0.011, False)])
def test_small_is_a_ten_thousandth_of_the_image(move, small):
    expected, found = (answers((0.0, 0.0, 50.0 + shift, 50.0), (1.0, 1.0, 2.0, 2.0)) for shift in (0, move))
    difference = compare(expected, found)
    assert difference.is_small is small and difference.score is None and 'scores' not in str(difference)
    scores = [answers((0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 2.0, 2.0), scores=(0.5, 0.5 + shift)) for shift in (0, move / 100)]
    assert compare(*scores).is_small is small


def test_answers_to_other_questions_are_not_compared():
    boxes = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
    for other in (answers(*boxes, expressions=('a', 'c')), answers(*boxes, size=(9, 9)), answers(*boxes)[:1]):
        with pytest.raises(ValueError, match='not to the same questions'):
            compare(answers(*boxes), other)
    with pytest.raises(ValueError, match='not to the same questions'):
        compare(GroundingResults(), GroundingResults())
    with pytest.raises(ValueError, match='has scores and the other has not'):
        compare(answers(*boxes), answers(*boxes, scores=(0.1, 0.2)))


def test_equal_boxes_overlap_wholly_even_where_they_are_empty():
    first = np.array([[0, 0, 2, 2], [1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], float)
    second = np.array([[1, 0, 2, 2], [1, 1, 1, 1], [5, 5, 6, 6], [0.5, 0.5, 0.5, 0.5]], float)
    assert iou_of(first, second).tolist() == [0.5, 1, 0, 0]


@pytest.mark.parametrize('count', [1, 7, 100])
def test_as_many_pairs_are_drawn_as_asked_and_always_the_same(count):
    pairs, again = draw_pairs(count), draw_pairs(count)
    assert sum(map(len, pairs.expressions)) == count and pairs.expressions == again.expressions
    assert all(np.array_equal(one, other) for one, other in zip(pairs.images, again.images, strict=True))
    assert count == 1 or pairs.expressions != draw_pairs(count, seed=1).expressions
    if count == 100:
        shares = [image.shape[0] / image.shape[1] for image in pairs.images]
        assert min(shares) < 0.5 and max(shares) > 2
    assert draw_pairs(count, images=['a.png', 'b.png']).images[:3] == ['a.png', 'b.png', 'a.png'][:len(pairs.images)]


def test_accuracy_is_the_share_of_half_overlaps(tmp_path):
    results = answers((0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 10.0))
    assert accuracy(results, np.array([[0, 0, 10, 5], [0, 0, 10, 4.9]])) == 0.5


def test_questions_are_those_of_a_prepared_split(tmp_path):
    root = make_data_root(tmp_path)
    questions = read_questions(root, ['val'])
    assert len(questions.pairs.images) == len(questions.pairs.expressions) == len(questions.targets) > 1
    assert questions.targets.shape[1] == 4 and all(len(row) == 1 for row in questions.pairs.expressions)
    assert len(read_questions(root, ['val'], first=1).targets) == 1
    assert len(read_questions(root, ['val', 'train']).targets) > len(questions.targets)
    with pytest.raises(DataError, match='gone'):
        read_questions(tmp_path / 'gone', ['val'])
    with pytest.raises(DataError, match='testZ'):
        read_questions(root, ['testZ'])
