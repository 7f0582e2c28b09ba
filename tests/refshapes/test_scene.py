import numpy as np
import pytest

from mmduet.refshapes.levels import HELD_OUT, LEVELS
from mmduet.refshapes.scene import SceneObject, sample_scene, scene_rng


def scenes(count):
    return [sample_scene(scene_rng(5, 'train', index)) for index in range(count)]


def test_boxes_lie_inside_the_scene_and_keep_apart():
    for scene in scenes(300):
        assert 3 <= len(scene.objects) <= 6
        boxes = scene.boxes()
        assert boxes.min() >= 0.5
        assert boxes.max() <= 63.5
        for first, second in zip(*np.triu_indices(len(boxes), 1), strict=True):
            a, b = scene.objects[first], scene.objects[second]
            assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 0.9 * (a.radius + b.radius)


def test_the_target_is_drawn_at_any_place_in_the_order():
    assert {scene.target for scene in scenes(200)} == {0, 1, 2, 3, 4, 5}


def test_big_and_small_are_never_close():
    sizes = {name: [item.radius for scene in scenes(200) for item in scene.objects if item.size == name]
             for name in ('small', 'big')}
    assert (min(sizes['small']), max(sizes['small'])) == (80, 112)
    assert (min(sizes['big']), max(sizes['big'])) == (144, 200)


def test_a_box_is_the_centre_and_radius_in_pixels():
    assert SceneObject('star', 'red', 'big', 400, 200, 160).box == (15.0, 2.5, 35.0, 22.5)


def test_boxes_scale_with_the_image():
    scene = scenes(1)[0]
    assert np.allclose(scene.boxes(128), 2 * scene.boxes())


def test_splits_and_indices_give_different_scenes():
    first = [sample_scene(scene_rng(0, split, index)) for split in ('train', 'val', 'region') for index in (0, 1)]
    assert len({scene.objects for scene in first}) == 6


@pytest.mark.parametrize(('name', 'fewest', 'most'), [('easy', 2, 4), ('hard', 6, 9)])
def test_a_level_has_its_number_of_objects_its_radii_and_its_clearance(name, fewest, most):
    level = LEVELS[name]
    drawn = [sample_scene(scene_rng(5, 'train', index, name), level) for index in range(200)]
    assert {len(scene.objects) for scene in drawn} == set(range(fewest, most + 1))
    for scene in drawn:
        for index, a in enumerate(scene.objects):
            assert level.radii(a.size)[0] <= a.radius <= level.radii(a.size)[1]
            assert 8 + a.radius <= min(a.x, a.y) <= max(a.x, a.y) <= 1016 - a.radius
            assert all(100 * max(abs(a.x - b.x), abs(a.y - b.y)) >= level.clearance * (a.radius + b.radius)
                       for b in scene.objects[:index])


@pytest.mark.parametrize('name', ['easy', 'standard', 'hard'])
def test_known_pairs_only_means_that_no_object_has_a_held_out_pair(name):
    for index in range(200):
        scene = sample_scene(scene_rng(0, 'train', index, name), LEVELS[name], 'known')
        assert not {(item.shape, item.colour) for item in scene.objects} & set(HELD_OUT)


@pytest.mark.parametrize('name', ['easy', 'standard', 'hard'])
def test_a_held_out_target_is_the_only_news_in_its_scene(name):
    targets = set()
    for index in range(200):
        scene = sample_scene(scene_rng(0, 'heldout', index, name), LEVELS[name], 'held_out')
        pair = (scene.referent.shape, scene.referent.colour)
        targets.add(pair)
        assert {(item.shape, item.colour) for item in scene.objects} & set(HELD_OUT) == {pair}
    assert targets == set(HELD_OUT)


def test_a_level_has_its_own_scenes():
    draws = {name: scene_rng(0, 'train', 0, name).integers(1 << 30) for name in ('easy', 'standard', 'hard')}
    assert len(set(draws.values())) == 3


def test_an_unknown_level_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="levels easy, standard, hard, parts, not 'harder'"):
        scene_rng(0, 'train', 0, 'harder')


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="train, val, testA, testB, region, region_val, heldout, absent, not 'test'"):
        scene_rng(0, 'test', 0)
