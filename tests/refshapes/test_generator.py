import hashlib

import pytest

from mmduet.refshapes.generator import make_example
from mmduet.refshapes.levels import HELD_OUT
from tests.refshapes.test_expressions import solve

# Data of this seed is what figures are reported on: a change here changes every figure.
LITERAL = {
    ('train', 0): ('relation', 'the red thing left of the cyan ball', (11.625, 13.25, 33.25, 34.875), '9463a36a42e073d2'),
    ('train', 7999): ('superlative', 'the leftmost amber thing', (2.5625, 50.9375, 14.8125, 63.1875), '6e41db15adba1d08'),
    ('val', 3): ('superlative', 'the top gray square', (26.9375, 25.0, 50.1875, 48.25), '84a4fe1035413ee9'),
    ('testA', 5): ('attribute', 'the purple star', (39.0625, 42.0, 57.3125, 60.25), '41a0fc21ed4fbd26'),
    ('testB', 5): ('relation', 'the triangle left of the azure star', (11.1875, 50.6875, 23.3125, 62.8125), 'e0b5923b58ee8a7f'),
    ('heldout', 5): ('relation', 'the navy cross right of the tangerine cross', (51.4375, 36.25, 63.1875, 48.0),
                     '8a68956935e8fe65'),
    ('region', 5): ('superlative', 'the bottom pink thing', (27.6875, 38.4375, 41.6875, 52.4375), 'def0071dea97275e'),
}


@pytest.mark.parametrize(('split', 'index'), list(LITERAL))
def test_examples_are_the_same_everywhere(split, index):
    example = make_example(0, split, index)
    expression = example.expressions[0]
    digest = hashlib.sha256(example.image.tobytes()).hexdigest()[:16]
    assert (expression.kind, expression.text, example.scene.referent.box, digest) == LITERAL[split, index]


def test_the_scenes_that_shipped_weights_were_trained_on_are_as_they_were():
    digest = hashlib.sha256()
    for split in ('region', 'region_val'):
        for index in range(50):
            example = make_example(100, split, index)
            # Without what only objects of level parts have.
            said = repr((example.scene, example.expressions)).replace(', stretch=100, part=None', '')
            digest.update(said.encode() + example.image.tobytes())
    assert digest.hexdigest()[:16] == 'f8970f739f8a5c21'


@pytest.mark.parametrize('split', ['train', 'val', 'testA', 'testB'])
def test_no_split_that_students_train_or_are_compared_on_shows_a_held_out_pair(split):
    pairs = {(item.shape, item.colour) for index in range(300) for item in make_example(0, split, index).scene.objects}
    assert not pairs & set(HELD_OUT)
    assert len(pairs) == 72


def test_held_out_targets_are_asked_for_in_all_kinds():
    examples = [make_example(0, 'heldout', index) for index in range(200)]
    assert {(e.scene.referent.shape, e.scene.referent.colour) for e in examples} == set(HELD_OUT)
    assert {e.expressions[0].kind for e in examples} == {'attribute', 'superlative', 'relation'}


def test_tests_keep_the_kinds_apart():
    assert {make_example(0, 'testA', index).expressions[0].kind for index in range(40)} == {'attribute'}
    assert {make_example(0, 'testB', index).expressions[0].kind for index in range(40)} == {'superlative', 'relation'}
    assert {make_example(0, 'train', index).expressions[0].kind for index in range(40)} == {
        'attribute', 'superlative', 'relation'}


def test_several_expressions_of_a_scene_differ_and_begin_with_the_single_one():
    one, three = make_example(0, 'train', 4), make_example(0, 'train', 4, expressions=3)
    assert three.expressions[0] == one.expressions[0]
    assert len({expression.tokens for expression in three.expressions}) == len(three.expressions) == 3
    assert (three.image == one.image).all()


def test_a_larger_image_shows_the_same_scene():
    small, large = make_example(0, 'train', 2), make_example(0, 'train', 2, size=128)
    assert large.scene == small.scene
    assert large.image.shape == (128, 128, 3)


def test_further_targets_have_expressions_of_their_own_and_leave_the_first_as_it_is():
    counts = []
    for index in range(30):
        one, three = (make_example(0, 'train', index, expressions=2, targets=targets) for targets in (1, 3))
        assert one.others == () and (three.scene, three.expressions) == (one.scene, one.expressions)
        assert (three.image == one.image).all()
        objects = [three.scene.target, *(target for target, _ in three.others)]
        assert len(set(objects)) == len(objects) <= 3
        for target, said in three.others:
            assert 1 <= len({expression.tokens for expression in said}) == len(said) <= 2
            for expression in said:
                assert solve(expression.text, three.scene.objects) == [three.scene.objects[target]]
        counts.append(len(three.others))
    assert counts.count(2) > 20


@pytest.mark.parametrize(('counts', 'said'), [(dict(expressions=0), '1 and 0'), (dict(targets=0), '0 and 1')])
def test_no_target_or_no_expression_is_refused(counts, said):
    with pytest.raises(ValueError, match=f'at least 1 target and 1 expression, got {said}'):
        make_example(0, 'train', 0, **counts)
