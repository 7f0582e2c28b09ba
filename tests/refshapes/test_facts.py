import numpy as np
import pytest

from mmduet.refshapes.facts import measure_level
from mmduet.refshapes.generator import make_example


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


def test_boxes_of_level_parts_hold_bodies_and_parts_and_overlap():
    facts = measure_level('parts', scenes=50)
    scenes = [make_example(0, 'val', index, level='parts').scene for index in range(50)]
    areas = [[(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in scene.boxes().tolist()] for scene in scenes]
    assert facts['covered by boxes, %'] == pytest.approx(np.mean([sum(area) for area in areas]) * 100 / 64**2)
    assert facts['box side, px'] == pytest.approx(np.mean([np.mean(np.sqrt(area)) for area in areas]))
    assert facts['smallest gap between boxes, px'] < 0


def test_no_scenes_are_refused():
    with pytest.raises(ValueError, match='at least 1 scene'):
        measure_level('easy', scenes=0)
