import pytest

from mmduet.refshapes.levels import HELD_OUT, LEVELS, find_level
from mmduet.refshapes.scene import COLOURS, SHAPES


def test_one_pair_of_each_shape_is_held_out_in_eight_colours():
    assert [shape for shape, _ in HELD_OUT] == list(SHAPES)
    colours = {colour for _, colour in HELD_OUT}
    assert len(colours) == 8
    assert colours < set(COLOURS)


def test_levels_differ_in_number_and_sizes_never_meet():
    assert sorted(level.number for level in LEVELS.values()) == [0, 1, 2, 3]
    for level in LEVELS.values():
        # at least 1.5 px between the largest small and the smallest big radius
        assert level.radii('big')[0] - level.radii('small')[1] >= 24
        assert level.share_shape + level.share_colour + level.share_both <= 100


def test_the_standard_level_is_what_published_figures_are_on():
    standard = find_level('standard')
    assert (standard.number, standard.objects, standard.small, standard.big) == (0, (3, 6), (80, 112), (144, 200))
    assert (standard.clearance, standard.sharers) == (90, 2)
    assert (standard.share_shape, standard.share_colour, standard.share_both) == (30, 25, 15)


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match='easy, standard, hard, parts'):
        find_level('')
