import cv2
import numpy as np
import pytest

from mmduet.refshapes.png import encode_png


@pytest.mark.parametrize('shape', [(1, 1, 3), (64, 64, 3), (31, 77, 3), (256, 256, 3)])
def test_an_image_is_read_back_by_opencv(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = cv2.imdecode(np.frombuffer(encode_png(image), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[:, :, ::-1], image)


def test_one_red_pixel_is_these_bytes():
    assert encode_png(np.array([[[255, 0, 0]]], dtype=np.uint8)).hex(' ', 4) == (
        '89504e47 0d0a1a0a 0000000d 49484452 00000001 00000001 08020000 00907753 '
        'de000000 0f494441 54780101 0400fbff 00ff0000 03010100 8d1de582 00000000 49454e44 ae426082')


@pytest.mark.parametrize('wrong', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
                                   np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError, match=r'must be \(h, w, 3\) uint8'):
        encode_png(wrong)
