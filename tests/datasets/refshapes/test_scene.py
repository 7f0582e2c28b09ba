import numpy as np
import pytest

from mmduet.datasets.refshapes.scene import SceneObject, sample_scene, scene_rng


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


def test_boxes_scale_with_the_picture():
    scene = scenes(1)[0]
    assert np.allclose(scene.boxes(128), 2 * scene.boxes())


def test_splits_and_indices_give_different_scenes():
    first = [sample_scene(scene_rng(0, split, index)) for split in ('train', 'val', 'region') for index in (0, 1)]
    assert len({scene.objects for scene in first}) == 6


@pytest.mark.parametrize('limits', [(1, 3), (5, 4)])
def test_impossible_numbers_of_objects_are_refused(limits):
    with pytest.raises(ValueError, match='2 <= min_objects <= max_objects'):
        sample_scene(np.random.default_rng(0), *limits)


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="train, val, testA, testB, region, region_val, not 'test'"):
        scene_rng(0, 'test', 0)
