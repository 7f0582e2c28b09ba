import io

import numpy as np
import pytest
from PIL import Image

from mmduet.io.errors import ImageError
from mmduet.io.images import check_image, decode_image
from mmduet.io.jpeg_ends import is_cut, looks_cut
from tests.shared_data import shared

NOISE = np.random.default_rng(0).integers(0, 255, (96, 136, 3), dtype=np.uint8)
END = b'\xff\xd9'


def encode(mode='RGB', pixels=NOISE, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, 'JPEG', **options)
    return file.getvalue()


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
@pytest.mark.parametrize('options', [{'quality': 95}, {'quality': 40, 'subsampling': 2}, {'progressive': True},
                                     {'optimize': True}, {'restart_marker_rows': 1}])
def test_a_jpeg_cut_and_closed_is_told_from_a_whole_one(mode, options):
    content = encode(mode, **options)
    assert not is_cut(content)
    assert not is_cut(content + b'\xff\xd8 a second picture' + END)
    header = content.index(b'\xff\xda') + 14
    for share in (0.1, 0.5, 0.9, 0.97):
        assert is_cut(content[:header + int((len(content) - header) * share)] + END), share


def test_a_flat_grey_image_is_whole():
    content = encode(pixels=np.full((96, 136, 3), 128, np.uint8))
    assert looks_cut(decode_image(content, 'x')) and not is_cut(content)


def test_what_is_no_jpeg_or_has_no_end_is_left_to_others():
    assert not is_cut(b'') and not is_cut(b'no image') and not is_cut(encode()[:-2])


def test_reading_refuses_the_grey_and_checking_also_the_coarse(tmp_path):
    for name, options in (('plain.jpg', {}), ('coarse.jpg', {'progressive': True})):
        content = encode(**options)
        (tmp_path / name).write_bytes(content)
        assert check_image(tmp_path / name) == (96, 136)
        (tmp_path / name).write_bytes(content[:int(len(content) * 0.6)] + END)
        with pytest.raises(ImageError, match=rf'{name} is truncated: it was cut, and its end mark put back'):
            check_image(tmp_path / name)
    with pytest.raises(ImageError, match='end mark put back'):
        decode_image((tmp_path / 'plain.jpg').read_bytes(), 'plain.jpg')


def test_real_images_are_whole_and_are_told_when_cut():
    for path in sorted(shared('data/refcoco_family/photos/images').glob('*.jpg')):
        content = path.read_bytes()
        assert not is_cut(content) and is_cut(content[:len(content) * 7 // 10] + END), path
