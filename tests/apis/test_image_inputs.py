import io
import zipfile
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from mmduet.apis.image_inputs import fetch_image, list_images, pair
from mmduet.io.errors import ImageError
from tests.hub_stand_in import serving
from tests.tiny_data import write_photo


class FileHandler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == '/elsewhere':
            self.send_response(302)
            self.send_header('Location', 'file:///etc/hostname')
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b'')


@pytest.fixture
def image(tmp_path):
    pixels = write_photo(tmp_path / 'b.png', width=20, height=10)
    return tmp_path / 'b.png', pixels


def read_all(inputs, order=None):
    return [image.read() for image in list_images(inputs, order)]


def test_every_kind_of_image_gives_the_same_pixels(image):
    path, pixels = image
    content = path.read_bytes()
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    for item in (path, str(path), content, bytearray(content), Image.open(path), Image.fromarray(pixels), planes, planes / 255,
                 planes.double() / 255):
        found, = read_all(item)
        assert np.array_equal(found, pixels), type(item)
    assert np.array_equal(read_all(pixels, 'rgb')[0], pixels)
    assert np.array_equal(read_all(pixels[..., ::-1], 'bgr')[0], pixels)
    assert np.array_equal(read_all(planes.flip(0), 'bgr')[0], pixels)


def test_folders_and_patterns_give_images_by_name_and_lists_anything(image, tmp_path):
    write_photo(tmp_path / 'a.PNG'.lower(), width=8)
    (tmp_path / 'notes.txt').write_text('none')
    names = [Path(found.name).name for found in list_images([tmp_path, f'{tmp_path}/*', f'{tmp_path}/b.*', image[0]])]
    assert names == ['a.png', 'b.png', 'a.png', 'b.png', 'b.png', 'b.png']
    for name in ('._a.png', '.hidden.png'):  # what macOS lays beside files is no image
        (tmp_path / name).write_bytes(b'beside')
    assert [Path(found.name).name for found in list_images(tmp_path)] == ['a.png', 'b.png']
    write_photo(tmp_path / 'c[1].png')
    assert [found.name for found in list_images(str(tmp_path / 'c[1].png'))] == [str(tmp_path / 'c[1].png')]


def test_an_image_ships_where_no_file_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list_images(['example', Path('example')])
    assert [(image.name, image.read().shape) for image in found] == [('example', (320, 320, 3))] * 2
    file = files('mmduet.apis').joinpath('example.png')
    assert np.array_equal(read_all('example')[0], np.asarray(Image.open(file))) and file.stat().st_size < 30_000
    Image.new('RGB', (8, 6)).save(tmp_path / 'example', 'PNG')
    assert read_all('example')[0].shape == (6, 8, 3)


def test_a_file_and_a_pil_image_of_it_are_turned_as_a_viewer_shows_them_and_an_array_is_not(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new('RGB', (30, 10), 'red').save(tmp_path / 'turned.jpg', exif=exif)
    content = (tmp_path / 'turned.jpg').read_bytes()
    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        archive.writestr('turned.jpg', content)
    for item in (tmp_path / 'turned.jpg', content, tmp_path / 'all.zip/turned.jpg'):
        assert read_all(item)[0].shape == (30, 10, 3)
    opened = Image.open(io.BytesIO(content))
    for image in (opened, opened.convert('L'), ImageOps.exif_transpose(opened)):
        assert read_all(image)[0].shape == (30, 10, 3)
    assert read_all(np.asarray(opened), 'rgb')[0].shape == (10, 30, 3)
    monkeypatch.setenv('no_proxy', '*')
    with serving(FileHandler) as server:
        server.files['/turned.jpg'] = content
        assert read_all(f'{server.url}/turned.jpg')[0].shape == (30, 10, 3)


@pytest.mark.parametrize(('item', 'kind', 'message'), [
    (None, TypeError, 'cannot take a NoneType for an image: expected a path, a URL'),
    ({'a.jpg'}, TypeError, 'cannot take a set'), (7, TypeError, 'cannot take a int'), ([[1]], TypeError, 'cannot take a list'),
    ([], ValueError, 'the list is empty'), ('', ValueError, 'is no path'), ('a\0.jpg', ValueError, 'is no path'),
    ('ftp://x/a.jpg', ValueError, "scheme 'ftp': only http and https"), ('file:///a.jpg', ValueError, "scheme 'file'"),
    ('data:image/png;base64,AA', ValueError, "scheme 'data'"),
    (np.zeros((4, 4, 3)), ValueError, r'an array must be \(h, w, 3\) of uint8, got \(4, 4, 3\) of float64'),
    (np.zeros((4, 4, 4), np.uint8), ValueError, r'got \(4, 4, 4\)'),
    (np.zeros((0, 4, 3), np.uint8), ValueError, r'got \(0, 4, 3\)'),
    (np.zeros((4, 4, 3), np.uint8), ValueError, 'an array does not say what its channels are'),
    (torch.zeros(1, 3, 4, 4), ValueError, r'got \(1, 3, 4, 4\): give the images of a batch as list\(tensor\)'),
    (np.zeros((2, 4, 4, 3), np.uint8), ValueError, r'got \(2, 4, 4, 3\): give the images of a batch as list\(array\)'),
    (io.BytesIO(), TypeError, r'cannot take a BytesIO for an image: .* \(of an open file take what its read\(\) gives\)'),
    (torch.full((3, 2, 2), 2.0), ValueError, r'values in \[0, 1\]'),
    (torch.full((3, 2, 2), torch.nan), ValueError, r'\[0, 1\]'),
    (torch.zeros(3, 2, 2, dtype=torch.int64), ValueError, 'of uint8, or of floats'),
    (b'no image', ImageError, 'bytes 0 is no image'), ('gone.png', ImageError, r'gone\.png cannot be read'),
    ('gone/*.png', ImageError, r'the pattern gone/\*\.png matches no images')])
def test_everything_else_is_refused_by_name(item, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        read_all(item)


def test_an_empty_folder_and_another_order_are_named(tmp_path):
    with pytest.raises(ImageError, match=r'has no images \([^()]*\)$'):
        list_images(tmp_path)
    write_photo(tmp_path / 'inner/deeper/a.png')
    with pytest.raises(ImageError, match=r'has no images .*; the pattern .*/\*\*/\* takes those of the folders in it$'):
        list_images(tmp_path)
    assert [Path(found.name).name for found in list_images(f'{tmp_path}/**/*')] == ['a.png']
    with pytest.raises(ValueError, match="channel_order must be 'rgb' or 'bgr', got 'BGR'"):
        list_images(np.zeros((4, 4, 3), np.uint8), 'BGR')


def test_an_address_is_fetched_within_its_limits(image, monkeypatch):
    path, pixels = image
    monkeypatch.setenv('no_proxy', '*')
    with serving(FileHandler) as server:
        server.files.update({'/a.png': path.read_bytes(), '/empty': b'', '/text': b'hello'})
        assert np.array_equal(read_all(f'{server.url}/a.png')[0], pixels)
        for address, message in (('/gone', 'cannot be fetched: 404'), ('/text', 'is no image'), ('/empty', 'is empty'),
                                 ('/elsewhere', 'cannot be fetched')):
            with pytest.raises(ImageError, match=message):
                fetch_image(server.url + address)
        with pytest.raises(ImageError, match='has more than the 100 bytes that are read'):
            fetch_image(f'{server.url}/a.png', most=100)
        with pytest.raises(ImageError, match=r'was not here after -1 seconds|cannot be fetched'):
            fetch_image(f'{server.url}/a.png', seconds=-1)
    with pytest.raises(ImageError, match='cannot be fetched'):
        fetch_image(f'{server.url}/a.png')


def test_expressions_are_of_every_image_or_of_each():
    images = list_images([np.zeros((2, 2, 3), np.uint8)] * 2, 'rgb')
    assert pair(images, ' the  cat ') == [['the cat'], ['the cat']]
    assert pair(images, ['a', 'b']) == [['a', 'b'], ['a', 'b']]
    assert pair(images, [['a'], ['b', 'c']]) == [['a'], ['b', 'c']]
    assert pair(images, [['a'], 'b']) == [['a'], ['b']]
    for wrong, kind, message in (([], ValueError, r'expected expressions, got \[\]'),
                                 (['a', ' '], ValueError, r"got \['a', ' '\]"),
                                 ('\u200b', ValueError, r"got \['.u200b'\]"),
                                 ('a \udcff cat', ValueError, r"of whole characters, got 'a .udcff cat'"),
                                 ([1], TypeError, 'got a int'),
                                 ([['a']], ValueError, '1 list of expressions for 2 images'),
                                 (None, TypeError, 'got a NoneType'), ([['a'], []], ValueError, r'got \[\]')):
        with pytest.raises(kind, match=message):
            pair(images, wrong)
