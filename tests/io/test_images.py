import io
import os
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from mmduet.datasets import ImageError, decode_image, read_image
from mmduet.io.images import (
    decode_upright,
    encode_ppm,
    read_image_size,
    read_upright,
    to_rgb,
    turn_upright,
    without_texts,
)
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
    with pytest.raises(ImageError, match=r'^x\.tiff holds floating-point pixels, whose range is unknown: save it with 8 bits$'):
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


def png_header(width, height):
    """A PNG that says its size and ends there: to decode a pixel of it is an error."""
    def chunk(kind, content):
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))

    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)) + chunk(b'IEND', b'')


@pytest.mark.filterwarnings('ignore:Image size')
@pytest.mark.parametrize('side', [8193, 13_300, 2**31 - 1])
def test_an_image_of_too_many_pixels_is_refused_by_its_header(tmp_path, side):
    (tmp_path / 'bomb.png').write_bytes(png_header(side, side))
    for read in (read_image, read_image_size):
        with pytest.raises(ImageError, match=r'bomb\.png (has 8,193 x 8,193 pixels, more than the 67,108,864 that are read|'
                                             r'has 13,300 x 13,300 pixels|has 4,611,686,014,132,420,609 pixels, more than)'):
            read(tmp_path / 'bomb.png')


def test_the_limit_of_pixels_can_be_set_and_a_bad_one_is_named(pixels, tmp_path, monkeypatch):
    monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', '1199')
    with pytest.raises(ImageError, match=r'source\.png has 40 x 30 pixels, more than the 1,199 .*MMDUET_MAX_IMAGE_PIXELS sets'):
        read_image(tmp_path / 'source.png')
    monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', '1200')
    assert read_image_size(tmp_path / 'source.png') == (40, 30)
    for text in ('0', '-1', 'many', '9' * 30, ''):
        monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', text)
        with pytest.raises(ImageError, match='MMDUET_MAX_IMAGE_PIXELS must be a positive whole number'):
            read_image(tmp_path / 'source.png')


def test_a_limit_above_that_of_pillow_is_the_one_that_counts(tmp_path, monkeypatch):
    (tmp_path / 'bomb.png').write_bytes(png_header(20_000, 20_000))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', '399999999')
    with pytest.raises(ImageError, match=r'has 20,000 x 20,000 pixels, more than the 399,999,999 that are read'):
        read_image_size(tmp_path / 'bomb.png')
    monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', '400000000')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read_image_size(tmp_path / 'bomb.png') == (20_000, 20_000)


@pytest.mark.parametrize('content', [
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(%pipe%touch x) (w) file\nshowpage\n%%EOF\n',
    b'<svg xmlns="http://www.w3.org/2000/svg"/>', b'root:x:0:0'])
def test_formats_that_no_data_set_has_are_not_opened(tmp_path, content):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ImageError, match=r'a\.png is no image \(of JPEG, PNG'):
        read_image(tmp_path / 'a.png')


def test_what_is_no_regular_file_is_neither_read_nor_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.png')
    for path in (tmp_path / 'pipe.png', '/dev/zero', tmp_path):
        with pytest.raises(ImageError, match=r'(is no regular file|cannot be read)'):
            read_image(path)
    with pytest.raises(ImageError, match='cannot be read'):
        read_image('/tmp/a\0b')


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / 'a.jpg').open('wb') as file:
        file.truncate(2**28 + 1)
    with pytest.raises(ImageError, match=r'has 268,435,457 bytes, more than the 268,435,456 that are read'):
        read_image(tmp_path / 'a.jpg')


def test_a_ppm_that_we_wrote_is_read_back_and_others_by_pillow(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    content = encode_ppm(pixels)
    assert content.startswith(b'P6\n7 5\n255\n') and len(content) == 11 + 105
    assert np.array_equal(decode_image(content, 'a.ppm'), pixels)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(np.asarray(image), pixels)
    commented = content.replace(b'P6\n', b'P6\n# by hand\n')
    assert np.array_equal(decode_image(commented, 'a.ppm'), pixels)
    with pytest.raises(ImageError, match=r'a.ppm is truncated or broken'):
        decode_image(content[:-1], 'a.ppm')
    monkeypatch.setenv('MMDUET_MAX_IMAGE_PIXELS', '34')
    with pytest.raises(ImageError, match=r'a.ppm has 7 x 5 pixels, more than the 34 that are read'):
        decode_image(content, 'a.ppm')


def test_sixteen_bit_grey_with_a_transparent_value_is_scaled_and_not_clipped(tmp_path):
    image = Image.fromarray(np.array([[1000, 60000], [30000, 65535]], np.uint16))
    image.save(tmp_path / 'a.png', transparency=60000)
    assert to_rgb(Image.open(tmp_path / 'a.png'))[..., 0].tolist() == [[4, 233], [117, 255]]


@pytest.mark.parametrize('kind', ['png', 'tiff'])  # Pillow turns the latter itself
@pytest.mark.parametrize('orientation', range(1, 9))
def test_an_image_is_turned_as_its_camera_was_held(tmp_path, orientation, kind):
    upright = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    turned = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
              8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / f'a.{kind}', exif=exif)
    assert np.array_equal(read_upright(tmp_path / f'a.{kind}'), upright)
    with Image.open(tmp_path / f'a.{kind}') as image:
        assert np.array_equal(turn_upright(image), upright)
        assert np.array_equal(turn_upright(ImageOps.exif_transpose(image)), upright)


@pytest.mark.filterwarnings('ignore::UserWarning')  # Pillow says that they are corrupt
@pytest.mark.parametrize('note', [b'MM\0*\0\0\0\x08\xff\xff\x01', b'MM\0*', b'XXXXXXXXXX', b'MM\0*\xff\xff\xff\xff',
                                  b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x0a\0\0\0\x01\0\0\0\0'])
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
def test_a_broken_note_about_the_camera_turns_nothing(note, kind):
    buffer = io.BytesIO()
    Image.new('RGB', (30, 10), 'red').save(buffer, kind, exif=b'Exif\0\0' + note)
    assert decode_upright(buffer.getvalue(), 'x').shape == (10, 30, 3)
    assert turn_upright(Image.open(buffer)).shape == (10, 30, 3)


def encode_png(**options):
    file = io.BytesIO()
    Image.new('RGB', (40, 30), (9, 8, 7)).save(file, 'PNG', **options)
    return file.getvalue()


def texts(packed):
    info = PngImagePlugin.PngInfo()
    info.add_text('x', 'y' * 2_000_000, zip=packed)
    info.add_itxt('z', 'y' * 2_000_000, zip=packed)
    return info


@pytest.mark.parametrize('options', [{'pnginfo': texts(True)}, {'pnginfo': texts(False)}, {'icc_profile': bytes(3_000_000)}])
def test_long_texts_and_profiles_cost_no_picture(tmp_path, options):
    content = encode_png(**options)
    assert (decode_image(content, 'x') == (9, 8, 7)).all()
    (tmp_path / 'a.png').write_bytes(content)
    assert read_image_size(tmp_path / 'a.png') == (40, 30)
    assert len(without_texts(content)) < 500 and without_texts(encode_png()) == encode_png()


def test_a_broken_png_stays_one():
    content = encode_png(pnginfo=texts(True))
    with pytest.raises(ImageError, match='truncated or broken'):
        decode_image(content[:-30], 'x')
    assert without_texts(b'tEXt') == b'tEXt'


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'PA'])
def test_what_is_transparent_shows_white_and_not_the_black_under_it(mode):
    image = Image.new('RGBA', (4, 2), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    file = io.BytesIO()
    image.convert('LA' if mode == 'LA' else 'RGBA').save(file, 'PNG')
    pixels = decode_image(file.getvalue(), 'x')
    assert pixels[0, 0].tolist() == [0, 0, 0] and pixels[1, 1].tolist() == [255, 255, 255]


def test_a_wide_grey_of_eight_bits_is_not_black():
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 200]], np.int32)).save(file, 'TIFF')
    assert decode_image(file.getvalue(), 'x')[0, :, 0].tolist() == [0, 200]
