import numpy as np
import pytest

from mmduet.refshapes.absent import deny
from mmduet.refshapes.expressions import SYNONYMS
from mmduet.refshapes.scene import Scene, SceneObject

STAR = SceneObject('star', 'red', 'big', 200, 500, 150)
RING = SceneObject('ring', 'blue', 'small', 700, 500, 80)
BOTH = Scene((STAR, RING), target=0)


def said_of(scene, count=300):
    rng = np.random.default_rng(0)
    return [deny(rng, scene) for _ in range(count)]


def test_an_attribute_swaps_what_two_objects_have_or_denies_the_size_of_one():
    tokens = [expression.tokens for expression in said_of(BOTH) if expression.kind == 'attribute']
    swapped = {tuple(word for word in said[1:]) for said in tokens if len(said) == 3}
    # A red ring and a blue star; the blue star is shown by one of the words for it, and so on.
    assert {shape in SYNONYMS['ring'] for colour, shape in swapped if colour in SYNONYMS['red']} == {True}
    assert {shape in SYNONYMS['star'] for colour, shape in swapped if colour in SYNONYMS['blue']} == {True}
    sizes = {(said[1] in SYNONYMS['small'], said[3] in SYNONYMS['star']) for said in tokens if len(said) == 4}
    assert sizes == {(True, True), (False, False)}


def test_all_kinds_occur_where_all_are_possible():
    assert {expression.kind for expression in said_of(BOTH)} == {'attribute', 'superlative', 'relation'}


def test_of_one_object_alone_only_its_size_can_be_denied():
    expressions = said_of(Scene((STAR, ), target=0))
    assert {expression.kind for expression in expressions} == {'attribute'}
    assert {expression.tokens[1] for expression in expressions} <= {'small', 'little', 'tiny'}


def test_where_nothing_hard_can_be_denied_there_is_none():
    both_sizes = Scene((STAR, SceneObject('star', 'red', 'small', 700, 500, 80)), target=0)
    assert deny(np.random.default_rng(0), both_sizes) is None


@pytest.mark.parametrize('seed', [0, 1])
def test_the_draw_is_the_generators(seed):
    first, second = (deny(np.random.default_rng(seed), BOTH) for _ in range(2))
    assert first == second
