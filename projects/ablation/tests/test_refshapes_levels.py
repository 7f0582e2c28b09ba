import sys

import numpy as np
import pytest
from PIL import Image

from mmduet.refshapes.generator import make_example
from projects.ablation import refshapes_levels
from projects.ablation.refshapes_levels import measure_level


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['refshapes_levels.py', *arguments])
    return refshapes_levels.main()


def test_a_row_of_the_table_has_a_value_of_each_level_and_a_sheet_is_drawn_of_each(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, '--scenes', '20', '--split', 'heldout', '--sheets', str(tmp_path)) == 0
    head, _, objects, *_ = capsys.readouterr().out.splitlines()
    assert head == '| 20 scenes of heldout, means | easy | standard | hard | parts |'
    easy, standard, hard = (float(cell) for cell in objects.split('|')[2:5])
    assert easy < standard < hard
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'refshapes_easy.jpg', 'refshapes_hard.jpg', 'refshapes_parts.jpg', 'refshapes_standard.jpg']
    assert Image.open(tmp_path / 'refshapes_easy.jpg').size == (940, 1002)
    assert all(path.stat().st_size < 200_000 for path in tmp_path.iterdir())


def test_an_unknown_split_is_one_sentence(monkeypatch, capsys):
    assert run(monkeypatch, '--split', 'test') == 1
    assert "not 'test'" in capsys.readouterr().err


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
