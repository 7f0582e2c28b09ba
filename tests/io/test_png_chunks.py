import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mmduet.io.errors import ImageError
from mmduet.io.images import decode_image, read_image_size
from mmduet.io.png_chunks import without_texts


def encode(**options):
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
    content = encode(**options)
    assert (decode_image(content, 'x') == (9, 8, 7)).all()
    (tmp_path / 'a.png').write_bytes(content)
    assert read_image_size(tmp_path / 'a.png') == (40, 30)
    assert len(without_texts(content)) < 500 and without_texts(encode()) == encode()


def test_a_broken_png_stays_one():
    content = encode(pnginfo=texts(True))
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
