import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmduet.datasets import QuickResizeLongSide, RandomFlip, RandomTargetCrop, ResizeLongSide
from mmduet.datasets.transforms.geometry import crop_boxes, mirror_boxes, resized_shape
from mmduet.io.errors import DataError


def make_results(seed=0, text='a cup', box=(10.0, 20.0, 110.0, 80.0), shape=(480, 640)):
    height, width = shape
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)[None] % 256
    image[..., 1] = np.arange(height)[:, None] % 256
    image[..., 2] = (np.arange(width)[None] // 256) * 16 + np.arange(height)[:, None] // 256
    return {'img': image, 'image_shape': shape, 'ori_shape': shape, 'text': text, 'box': np.array(box), 'flip': False,
            'distractors': np.array([[0.0, 0.0, 50.0, 40.0], [600.0, 440.0, 640.0, 480.0]]), 'rng': np.random.default_rng(seed)}


def test_boxes_move_with_a_crop_and_are_clipped_to_it():
    boxes = np.array([[10.0, 20.0, 50.0, 60.0], [0.5, 0.5, 100.0, 100.0]])
    np.testing.assert_allclose(crop_boxes(boxes, 20, 10, 25, 30), [[0, 10, 25, 30], [0, 0, 25, 30]])


def test_a_mirrored_box_is_measured_from_the_other_edge():
    np.testing.assert_allclose(mirror_boxes(np.array([10.25, 20.0, 50.5, 60.0]), 100), [49.5, 20, 89.75, 60])


def test_no_crop_loses_more_than_half_of_the_target():
    cropped = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        low = rng.uniform(0, [500, 400])
        box = np.concatenate([low, low + rng.uniform(10, [140, 80])])
        results = RandomTargetCrop(prob=1)(make_results(seed, box=box))
        height, width = results['image_shape']
        assert results['img'].shape == (height, width, 3)
        x1, y1, x2, y2 = results['box']
        kept = (x2 - x1) * (y2 - y1) / np.prod(box[2:] - box[:2])
        assert 0.5 <= kept <= 1 + 1e-9
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        cropped += (height, width) != (480, 640)
    assert cropped > 250


def test_the_box_shows_the_same_pixels_after_a_crop():
    for seed in range(40):
        before = make_results(seed, box=(300.0, 200.0, 340.0, 230.0))
        corner = before['img'][200, 300].copy()
        results = RandomTargetCrop(prob=1, min_kept=1.0)(before)
        x1, y1, x2, y2 = results['box'].astype(int)
        np.testing.assert_array_equal(results['img'][y1, x1], corner)
        assert (x2 - x1, y2 - y1) == (40, 30)


def test_crop_sizes_are_those_of_the_family_seen_in_the_image():
    heights, widths = [], []
    for seed in range(300):
        results = RandomTargetCrop(prob=1, short_sides=[400], min_kept=0.01, tries=1)(make_results(seed, box=(0, 0, 640, 480)))
        heights.append(results['image_shape'][0] * 400 / 480)
        widths.append(results['image_shape'][1] * 400 / 480)
    assert (min(heights), max(heights)) == pytest.approx((384, 400), abs=1)
    assert (min(widths), max(widths)) == pytest.approx((384, 533), abs=4)


def test_distractors_move_with_a_crop_and_vanish_outside_it():
    for seed in range(50):
        before = make_results(seed)
        results = RandomTargetCrop(prob=1)(before)
        height, width = results['image_shape']
        assert (results['distractors'] >= 0).all()
        assert (results['distractors'][:, 2:] <= [width, height]).all()
        if (height, width) == (480, 640):
            assert len(results['distractors']) == 2
            return
    assert len(results['distractors']) < 2


@pytest.mark.parametrize('text', ['left cup', 'cup at the top', 'middle one'])
def test_an_expression_that_names_a_position_is_not_cropped(text):
    for seed in range(20):
        assert RandomTargetCrop(prob=1)(make_results(seed, text=text))['image_shape'] == (480, 640)


def test_a_laptop_is_cropped():
    shapes = {RandomTargetCrop(prob=1)(make_results(seed, text='open laptop'))['image_shape'] for seed in range(10)}
    assert len(shapes) > 5


def test_a_target_that_no_crop_can_keep_leaves_the_image_whole():
    results = RandomTargetCrop(prob=1, short_sides=[600], crop_range=(384, 400), min_kept=0.9)(
        make_results(box=(0.0, 0.0, 640.0, 480.0)))
    assert results['image_shape'] == (480, 640)


def test_a_small_image_is_cropped_to_no_more_than_itself():
    for seed in range(20):
        results = RandomTargetCrop(prob=1, short_sides=[64], crop_range=(40, 60))(
            make_results(seed, shape=(64, 80), box=(10.0, 10.0, 40.0, 40.0)))
        assert results['image_shape'][0] <= 60
        assert results['image_shape'][1] <= 60


@pytest.mark.parametrize(('shape', 'long_side', 'resized'), [
    ((375, 500), 640, (480, 640)), ((500, 333), 640, (640, 426)), ((480, 640), 448, (336, 448)), ((1, 1000), 64, (1, 64)),
    ((500, 375), 64, (64, 48))])
def test_the_long_side_is_met_and_the_other_rounded(shape, long_side, resized):
    assert resized_shape(shape, long_side) == resized


def test_resizing_is_pillows_antialiased_bilinear():
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((64, 48), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(ResizeLongSide([1]).resize(image, (48, 64)), expected)
    np.testing.assert_array_equal(ResizeLongSide([1]).resize(image[:, ::-1], (48, 64)), expected[:, ::-1])
    assert ResizeLongSide([120])({'img': image, 'image_shape': (90, 120)})['img'] is image


@pytest.mark.parametrize('shape', [(48, 64), (75, 100), (140, 187), (8, 11), (90, 120)])
def test_the_quick_resize_is_pillows_to_two_steps_of_brightness(shape):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    waves = 127 + 120 * np.sin(np.arange(90)[:, None, None] / 9 + np.arange(120)[None, :, None] / 7 + np.arange(3))
    waves = waves.astype(np.uint8)
    for image in (noise, waves, waves[:, ::-1], waves[5:95, 10:110]):
        image = image if image.shape[:2] == (90, 120) else np.ascontiguousarray(image)
        apart = np.abs(QuickResizeLongSide([1]).resize(image, shape).astype(int) - ResizeLongSide([1]).resize(image, shape))
        assert apart.max() <= 2
        assert (apart > 0).mean() < 0.1


def test_the_quick_resize_is_pytorchs_to_the_pixel_in_the_order_of_an_image():
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    planes = F.interpolate(torch.from_numpy(image).permute(2, 0, 1)[None], size=(48, 64), mode='bilinear', antialias=True)
    for given in (image, np.ascontiguousarray(image[:, ::-1])[:, ::-1]):
        resized = QuickResizeLongSide([1]).resize(given, (48, 64))
        np.testing.assert_array_equal(resized, planes[0].permute(1, 2, 0).numpy())
        assert resized.flags.c_contiguous


def test_the_quick_resize_leaves_a_cached_image_alone_and_draws_as_the_other():
    results = make_results()
    results['img'].flags.writeable = False
    untouched = results['img'].copy()
    quick = QuickResizeLongSide(sides=[320, 300])(results)
    np.testing.assert_array_equal(untouched, make_results()['img'])
    assert quick['img'].shape == ResizeLongSide(sides=[320, 300])(make_results())['img'].shape
    assert quick['img'].flags.c_contiguous


def test_resizing_leaves_boxes_and_image_shape_alone():
    results = ResizeLongSide(sides=[320])(make_results())
    assert results['img'].shape == (240, 320, 3)
    assert results['image_shape'] == (480, 640)
    np.testing.assert_array_equal(results['box'], [10, 20, 110, 80])


def test_the_side_is_drawn_from_all_that_are_given():
    sides = {max(ResizeLongSide(sides=[32, 64, 96])(make_results(seed))['img'].shape) for seed in range(30)}
    assert sides == {32, 64, 96}


@pytest.mark.parametrize('sides', [[], [0], [-4]])
def test_impossible_sides_are_refused(sides):
    with pytest.raises(ValueError, match='sides must hold positive sizes'):
        ResizeLongSide(sides=sides)


def test_a_flip_mirrors_pixels_boxes_distractors_and_words():
    before = make_results(text='left cup near the bright right one')
    pixels = before['img'].copy()
    results = RandomFlip(prob=1)(before)
    np.testing.assert_array_equal(results['img'], pixels[:, ::-1])
    np.testing.assert_array_equal(results['box'], [530, 20, 630, 80])
    np.testing.assert_array_equal(results['distractors'], [[590, 0, 640, 40], [0, 440, 40, 480]])
    assert results['text'] == 'right cup near the bright left one'
    assert (results['flip'], results['swapped_words']) == (True, 2)


def test_a_flip_after_a_resize_moves_boxes_in_the_frame_before_it():
    results = RandomFlip(prob=1)(ResizeLongSide(sides=[320])(make_results()))
    assert results['img'].shape == (240, 320, 3)
    np.testing.assert_array_equal(results['box'], [530, 20, 630, 80])


def test_an_expression_with_a_figure_is_not_flipped():
    results = RandomFlip(prob=1)(make_results(text='number 12 on the left'))
    assert (results['text'], results['flip']) == ('number 12 on the left', False)
    np.testing.assert_array_equal(results['box'], [10, 20, 110, 80])


def test_a_flip_happens_as_often_as_asked():
    flips = [RandomFlip(prob=0.5)(make_results(seed, shape=(4, 6)))['flip'] for seed in range(400)]
    assert 160 < sum(flips) < 240


@pytest.mark.parametrize('build', [lambda: RandomFlip(prob=1.5), lambda: RandomTargetCrop(prob=-1),
                                   lambda: RandomTargetCrop(min_kept=0)])
def test_an_impossible_chance_is_refused(build):
    with pytest.raises(ValueError, match='must be in'):
        build()


def test_boxes_stay_fractional():
    results = make_results(box=(10.25, 20.5, 110.75, 80.125))
    results = RandomFlip(prob=1)(RandomTargetCrop(prob=0)(results))
    np.testing.assert_array_equal(results['box'], [529.25, 20.5, 629.75, 80.125])


@pytest.mark.parametrize('mirrored_first', [False, True])
def test_the_window_says_which_part_of_the_file_is_seen_whatever_the_order(mirrored_first):
    flip, crop = RandomFlip(prob=1.0), RandomTargetCrop(prob=1.0, min_kept=1.0)
    seen = 0
    for seed in range(20):
        whole = make_results(seed, box=(300.0, 200.0, 340.0, 230.0))
        whole['crop_window'] = (0, 0, 640, 480)
        before = whole['img'].copy()
        results = crop(crop(flip(whole))) if mirrored_first else flip(crop(crop(whole)))
        x1, y1, x2, y2 = results['crop_window']
        np.testing.assert_array_equal(results['img'], before[y1:y2, x1:x2][:, ::-1])
        seen += (x2 - x1, y2 - y1) != (640, 480)
    assert seen > 15


def test_distractors_keep_their_numbers_when_a_crop_leaves_some_out():
    left_out = 0
    for seed in range(20):
        results = make_results(seed, box=(300.0, 200.0, 340.0, 230.0))
        results['distractor_index'] = np.arange(2)
        before = results['distractors'].copy()
        results = RandomTargetCrop(prob=1.0, short_sides=[600], min_kept=0.99)(results)
        assert len(results['distractors']) == len(results['distractor_index'])
        x1, y1, x2, y2 = results.get('crop_window', (0, 0, 640, 480))
        for box, number in zip(results['distractors'], results['distractor_index'], strict=True):
            np.testing.assert_allclose(box, crop_boxes(before[number], x1, y1, x2 - x1, y2 - y1))
        left_out += len(results['distractors']) < 2
    assert left_out > 5


def test_a_crop_of_an_image_that_was_resized_is_refused():
    results = ResizeLongSide(sides=[800])(make_results(0))
    with pytest.raises(DataError, match=r'RandomTargetCrop cuts images as they are in their files.*put it in front of what'):
        RandomTargetCrop(prob=1)(results)
