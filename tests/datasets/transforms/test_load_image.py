import numpy as np
import pytest

from mmduet.datasets import ImageError, LoadImage
from tests.tiny_data import write_photo


def test_an_image_is_loaded_as_rgb_with_its_shape(tmp_path):
    pixels = write_photo(tmp_path / 'a.png')
    results = LoadImage()({'img_path': str(tmp_path / 'a.png'), 'height': 30, 'width': 40})
    np.testing.assert_array_equal(results['img'], pixels)
    assert results['ori_shape'] == results['image_shape'] == (30, 40)


def test_an_image_of_another_size_than_its_annotation_is_an_error(tmp_path):
    write_photo(tmp_path / 'a.png')
    with pytest.raises(ImageError, match=r'a\.png is 40 x 30 pixels, its annotation says 30 x 40: boxes would be off'):
        LoadImage()({'img_path': str(tmp_path / 'a.png'), 'height': 40, 'width': 30})


def test_pixels_that_are_there_already_are_kept():
    pixels = np.zeros((5, 7, 3), np.uint8)
    results = LoadImage()({'img': pixels, 'img_path': 'memory'})
    assert results['img'] is pixels
    assert results['ori_shape'] == (5, 7)


def load(transform, path):
    return transform({'img_path': str(path)})['img']


def test_a_cached_image_is_decoded_once_and_cannot_be_written_to(tmp_path):
    pixels = write_photo(tmp_path / 'a.png')
    transform = LoadImage(cache_mb=1)
    first = load(transform, tmp_path / 'a.png')
    (tmp_path / 'a.png').unlink()
    assert load(transform, tmp_path / 'a.png') is first
    np.testing.assert_array_equal(first, pixels)
    with pytest.raises(ValueError, match='read-only'):
        first[0] = 0


def test_images_beyond_the_bound_are_decoded_each_time(tmp_path):
    for name in 'ab':
        write_photo(tmp_path / f'{name}.png', seed=ord(name))
    # An image has 40 * 30 * 3 = 3600 bytes: one fits, two do not.
    transform = LoadImage(cache_mb=7000 / 2**20)
    kept = [load(transform, tmp_path / f'{name}.png') for name in 'ab']
    assert load(transform, tmp_path / 'a.png') is kept[0]
    assert load(transform, tmp_path / 'b.png') is not kept[1]
    np.testing.assert_array_equal(load(transform, tmp_path / 'b.png'), kept[1])


def test_without_a_cache_an_image_belongs_to_the_caller(tmp_path):
    write_photo(tmp_path / 'a.png')
    transform = LoadImage()
    image = load(transform, tmp_path / 'a.png')
    untouched = image.copy()
    image[:] = 255 - image
    np.testing.assert_array_equal(load(transform, tmp_path / 'a.png'), untouched)


@pytest.mark.parametrize('size', [-1, float('nan')])
def test_a_negative_cache_is_refused(size):
    with pytest.raises(ValueError, match='cache_mb must not be negative'):
        LoadImage(cache_mb=size)
