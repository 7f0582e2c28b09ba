import numpy as np
import pytest

from mmduet.datasets import ImageError, LoadPhoto
from tests.tiny_data import write_photo


def test_a_photo_is_loaded_as_rgb_with_its_shape(tmp_path):
    pixels = write_photo(tmp_path / 'a.png')
    results = LoadPhoto()({'img_path': str(tmp_path / 'a.png'), 'height': 30, 'width': 40})
    np.testing.assert_array_equal(results['img'], pixels)
    assert results['ori_shape'] == results['photo_shape'] == (30, 40)


def test_a_photo_of_another_size_than_its_annotation_is_an_error(tmp_path):
    write_photo(tmp_path / 'a.png')
    with pytest.raises(ImageError, match=r'a\.png is 40 x 30 pixels, its annotation says 30 x 40: boxes would be off'):
        LoadPhoto()({'img_path': str(tmp_path / 'a.png'), 'height': 40, 'width': 30})


def test_pixels_that_are_there_already_are_kept():
    pixels = np.zeros((5, 7, 3), np.uint8)
    results = LoadPhoto()({'img': pixels, 'img_path': 'memory'})
    assert results['img'] is pixels
    assert results['ori_shape'] == (5, 7)
