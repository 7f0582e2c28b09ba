import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmduet.datasets import ImageError, decode_image, read_image
from tests.shared_data import shared
from tests.tiny_data import write_photo


@pytest.fixture
def pixels(tmp_path):
    return write_photo(tmp_path / 'source.png')


def encode(pixels, mode, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(('mode', 'kind'), [
    ('RGB', 'PNG'), ('P', 'PNG'), ('L', 'PNG'), ('LA', 'PNG'), ('1', 'PNG'), ('RGBA', 'PNG'), ('RGB', 'JPEG'), ('L', 'JPEG'),
    ('CMYK', 'JPEG'), ('CMYK', 'TIFF'), ('RGB', 'BMP'), ('P', 'GIF'), ('RGB', 'WEBP')])
def test_every_mode_is_decoded_to_the_rgb_that_pillow_shows(pixels, mode, kind):
    content = encode(pixels, mode, kind)
    image = decode_image(content, 'x')
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(content)).convert('RGB')))


def test_a_16_bit_grey_is_scaled_not_clipped():
    deep = np.array([[0, 257, 32896], [51400, 65278, 65535]], np.uint16)
    for kind in ('.png', '.tiff'):
        image = decode_image(cv2.imencode(kind, deep)[1].tobytes(), 'x')
        np.testing.assert_array_equal(image[..., 1], [[0, 1, 128], [200, 254, 255]])
        assert image.shape == (2, 3, 3)


def test_a_floating_point_image_is_refused_by_name():
    content = io.BytesIO()
    Image.fromarray(np.ones((4, 5), np.float32)).save(content, 'TIFF')
    with pytest.raises(ImageError, match=r'x\.tiff is truncated or broken: it holds floating-point pixels'):
        decode_image(content.getvalue(), 'x.tiff')


def test_a_16_bit_colour_image_keeps_its_high_bytes(pixels):
    deep = pixels[..., ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(decode_image(cv2.imencode('.png', deep)[1].tobytes(), 'x'), pixels)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_exif_rotation_is_ignored_as_coco_ignores_it(pixels, kind):
    exif = Image.Exif()
    exif[0x112] = 6
    assert decode_image(encode(pixels, 'RGB', kind, exif=exif), 'x').shape == (30, 40, 3)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'BMP', 'GIF', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('kept', [0.5, 0.9])
def test_a_truncated_file_is_an_error_that_names_it(pixels, tmp_path, kind, kept):
    content = encode(np.kron(pixels, np.ones((4, 4, 1), np.uint8)), 'RGB', kind)
    path = tmp_path / 'image.jpg'
    path.write_bytes(content[:int(len(content) * kept)])
    with pytest.raises(ImageError, match=r'image\.jpg'):
        read_image(path)


def test_a_truncated_real_image_is_an_error(tmp_path):
    content = next(iter(sorted(shared('data/refcoco_family/photos/images').glob('*.jpg')))).read_bytes()
    for kept in (1000, len(content) // 2, len(content) - 100):
        with pytest.raises(ImageError, match=r'half\.jpg is truncated'):
            decode_image(content[:kept], 'half.jpg')


@pytest.mark.parametrize(('content', 'message'), [(b'', r'is empty \(zero bytes\)'), (b'no image at all', 'is no image')])
def test_an_empty_or_foreign_file_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf'image\.jpg {message}'):
        read_image(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ImageError, match=r'gone\.jpg cannot be read: No such file'):
        read_image(tmp_path / 'gone.jpg')


def test_all_real_images_are_the_same_as_by_pillow():
    for path in sorted(shared('data/refcoco_family/photos/images').glob('*.jpg')):
        np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path).convert('RGB')))


@pytest.mark.parametrize('options', [{'subsampling': 0}, {'subsampling': 1}, {'subsampling': 2, 'progressive': True},
                                     {'quality': 30}, {'quality': 98, 'optimize': True}])
def test_a_whole_jpeg_is_what_pillow_shows_pixel_by_pixel(options):
    waves = 127 + 120 * np.sin(np.arange(97)[:, None, None] / 9 + np.arange(131)[None, :, None] / 7 + np.arange(3))
    content = encode(waves.astype(np.uint8), 'RGB', 'JPEG', **options)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(decode_image(content, 'x'), expected)
    np.testing.assert_array_equal(decode_image(content + bytes(7), 'x'), expected)


def test_real_images_are_what_pillow_shows_pixel_by_pixel():
    for path in sorted(shared('data/coco_photos/images').iterdir())[:12]:
        np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path).convert('RGB')))


def test_a_jpeg_that_was_cut_off_is_refused_wherever_it_ends(pixels):
    content = encode(pixels, 'RGB', 'JPEG')
    for end in range(2, len(content) - 2, 9):
        with pytest.raises(ImageError, match=r'x\.jpg'):
            decode_image(content[:end], 'x.jpg')
