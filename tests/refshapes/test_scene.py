from dataclasses import replace

import numpy as np
import pytest

from mmduet.refshapes.levels import HELD_OUT, LEVELS
from mmduet.refshapes.scene import Part, SceneObject, fits, holds, overlap, sample_scene, scene_rng, too_close


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


@pytest.mark.parametrize('name', ['easy', 'standard', 'hard', 'parts'])
def test_known_pairs_only_means_that_no_object_has_a_held_out_pair(name):
    for index in range(200):
        scene = sample_scene(scene_rng(0, 'train', index, name), LEVELS[name], 'known')
        assert not {(item.shape, item.colour) for item in scene.objects} & set(HELD_OUT)


@pytest.mark.parametrize('name', ['easy', 'standard', 'hard', 'parts'])
def test_a_held_out_target_is_the_only_news_in_its_scene(name):
    targets = set()
    for index in range(200):
        scene = sample_scene(scene_rng(0, 'heldout', index, name), LEVELS[name], 'held_out')
        pair = (scene.referent.shape, scene.referent.colour)
        targets.add(pair)
        assert {(item.shape, item.colour) for item in scene.objects} & set(HELD_OUT) == {pair}
    assert targets == set(HELD_OUT)


def test_a_level_has_its_own_scenes():
    draws = {name: scene_rng(0, 'train', 0, name).integers(1 << 30) for name in ('easy', 'standard', 'hard', 'parts')}
    assert len(set(draws.values())) == 4


def test_objects_of_level_parts_overlap_and_no_part_is_hidden_or_looks_like_another_objects():
    level, sizes, overlapping, others, shared = LEVELS['parts'], [], 0, 0, [0, 0, 0]
    drawn = [sample_scene(scene_rng(5, 'train', index, 'parts'), level) for index in range(300)]
    assert {len(scene.objects) for scene in drawn} == {2, 3, 4, 5}
    for scene in drawn:
        assert scene.boxes().min() >= 0.5
        assert scene.boxes().max() <= 63.5
        for index, item in enumerate(scene.objects):
            low, high = level.part
            assert item.radius * low // 100 <= item.part.radius <= item.radius * high // 100
            assert level.stretch[0] <= item.stretch <= level.stretch[1]
            assert item.part.colour != item.colour
            assert item.body[0] < item.part.x < item.body[2]
            assert item.body[1] < item.part.y < item.body[3]
            for other in scene.objects[:index]:
                assert not too_close(item, other, level.clearance)
                assert not overlap(item.part.extent, other.part.extent)
                assert not holds(item.body, other.part)
                assert not holds(other.body, item.part)
                overlapping += overlap(item.body, other.body)
            if item is not scene.referent:
                its, part = scene.referent.part, item.part
                shared = [count + same for count, same in zip(shared, (
                    part.shape == its.shape, part.colour == its.colour,
                    (part.shape, part.colour) == (its.shape, its.colour)), strict=True)]
                others += 1
        left, top, right, bottom = scene.referent.box
        sizes.append(((right - left) * (bottom - top)) ** 0.5 / 64)
    # Two of three parts in a shared attribute, of 60 %; some by chance. Parts never have their object's colour.
    assert 0.35 < shared[0] / others < 0.6
    assert 0.25 < shared[1] / others < 0.5
    assert 0.12 < shared[2] / others < 0.3
    assert overlapping > 300
    # RefCOCO's targets: 0.26, 0.39, 0.65 of the image's side.
    assert np.abs(np.percentile(sizes, [10, 50, 90]) - [0.27, 0.35, 0.64]).max() < 0.04


def test_the_box_of_an_object_holds_its_body_and_its_part():
    item = SceneObject('star', 'red', 'big', 400, 320, 160, stretch=80, part=Part('ring', 'blue', 502, 320, 64))
    assert item.half_sides == (128, 200)
    assert item.body == (272, 120, 528, 520)
    assert item.box == (272 / 16, 120 / 16, 566 / 16, 520 / 16)
    assert replace(item, part=None).box == (17.0, 7.5, 33.0, 32.5)


@pytest.mark.parametrize(('x', 'y', 'close'), [(0, 0, True), (149, 149, True), (150, 0, False), (0, 150, False)])
def test_objects_are_too_close_where_they_are_so_along_both_axes(x, y, close):
    first, second = (SceneObject('star', 'red', 'big', 300 + dx, 300 + dy, 125) for dx, dy in ((0, 0), (x, y)))
    assert too_close(first, second, 60) == close


def test_an_object_fits_only_inside_and_with_its_part_apart():
    item = SceneObject('star', 'red', 'big', 300, 300, 100, part=Part('ring', 'blue', 380, 300, 40))
    assert fits(item, [])
    assert fits(replace(item, part=None), [])
    assert not fits(replace(item, part=None, x=107), [])
    assert not fits(replace(item, x=107), [])
    assert not fits(replace(item, y=920), [])
    beside = replace(item, x=600, part=Part('ring', 'blue', 600, 380, 40))
    assert fits(item, [beside])
    assert not fits(item, [replace(beside, part=Part('ring', 'blue', 419, 300, 40))])  # parts meet
    assert not fits(item, [replace(beside, x=470)])  # its part on the other's body
    assert not fits(item, [replace(beside, part=Part('ring', 'blue', 300, 380, 40))])  # the other's on its body


def test_a_level_may_stretch_objects_that_have_no_parts():
    level = replace(LEVELS['standard'], stretch=(60, 150))
    items = [item for index in range(50) for item in sample_scene(scene_rng(5, 'train', index), level).objects]
    assert (min(item.stretch for item in items), max(item.stretch for item in items)) == (60, 150)
    assert all(min(item.extent) >= 8 and max(item.extent) <= 1016 and item.part is None for item in items)


def test_an_unknown_level_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="levels easy, standard, hard, parts, not 'harder'"):
        scene_rng(0, 'train', 0, 'harder')


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="train, val, testA, testB, region, region_val, heldout, absent, not 'test'"):
        scene_rng(0, 'test', 0)
