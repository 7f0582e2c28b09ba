import pytest

from mmduet.refshapes.facts import measure_level


def test_a_harder_level_has_more_objects_closer_together_that_share_more_with_the_target():
    easy, standard, hard = (measure_level(level, scenes=150) for level in ('easy', 'standard', 'hard'))
    for name in ('objects', 'others of the same shape', 'others of the same colour', 'others of both', 'covered by boxes, %',
                 'neither shape nor colour is enough, %'):
        assert easy[name] < standard[name] < hard[name]
    for name in ('box side, px', 'smallest gap between boxes, px', 'any true box, % right'):
        assert easy[name] > standard[name] > hard[name]


def test_facts_of_the_standard_level_are_literal():
    facts = measure_level('standard', scenes=100)
    assert (facts['objects'], facts['others of both'], facts['words']) == pytest.approx((4.58, 0.47, 5.05))


def test_no_scenes_are_refused():
    with pytest.raises(ValueError, match='at least 1 scene'):
        measure_level('easy', scenes=0)
