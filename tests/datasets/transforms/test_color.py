import numpy as np
import pytest
from PIL import Image, ImageEnhance

from mmduet.datasets import ColorJitter
from mmduet.datasets.transforms.color import change_brightness, change_contrast, change_saturation

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize('factor', [0.0, 0.6, 1.0, 1.4])
@pytest.mark.parametrize(('ours', 'theirs'), [
    (change_brightness, ImageEnhance.Brightness), (change_contrast, ImageEnhance.Contrast),
    (change_saturation, ImageEnhance.Color)])
def test_changes_are_pillows_up_to_rounding(ours, theirs, factor):
    expected = np.asarray(theirs(Image.fromarray(IMAGE)).enhance(factor)).astype(int)
    assert np.abs(ours(IMAGE, factor).astype(int) - expected).max() <= 1


def test_a_change_by_one_changes_nothing():
    for change in (change_brightness, change_contrast, change_saturation):
        np.testing.assert_array_equal(change(IMAGE, 1.0), IMAGE)


def test_values_beyond_white_are_clipped_not_wrapped():
    bright = np.full((2, 2, 3), 200, np.uint8)
    assert change_brightness(bright, 1.4).max() == 255
    assert change_brightness(bright, 1.4).min() == 255


def test_jitter_draws_from_the_given_generator_only():
    def jitter(seed):
        return ColorJitter(prob=1)({'img': IMAGE, 'rng': np.random.default_rng(seed)})['img']
    np.testing.assert_array_equal(jitter(3), jitter(3))
    assert (jitter(3) != jitter(4)).any()


def test_jitter_keeps_its_chance_and_its_input():
    before = IMAGE.copy()
    changed = [ColorJitter(prob=0.8)({'img': IMAGE, 'rng': np.random.default_rng(seed)})['img'] is not IMAGE
               for seed in range(200)]
    assert 140 < sum(changed) < 180
    np.testing.assert_array_equal(IMAGE, before)


def test_a_grey_image_stays_grey():
    grey = np.repeat(IMAGE[..., :1], 3, axis=2)
    changed = ColorJitter(prob=1)({'img': grey, 'rng': np.random.default_rng(1)})['img']
    assert (changed[..., 0] == changed[..., 2]).all()
    assert np.abs(changed.astype(int) - changed[..., :1]).max() <= 1


@pytest.mark.parametrize('build', [lambda: ColorJitter(prob=2), lambda: ColorJitter(strength=-0.1)])
def test_impossible_settings_are_refused(build):
    with pytest.raises(ValueError, match='must be'):
        build()
