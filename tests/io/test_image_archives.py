import io
import os
import pickle
import tarfile
import zipfile
from multiprocessing import get_context

import numpy as np
import pytest

from mmduet.io import image_archives
from mmduet.io.errors import ImageError
from mmduet.io.image_archives import ImageArchive, is_archive, open_archive, read_inside
from mmduet.io.images import check_image, read_image, read_image_size
from tests.tiny_data import write_photo

METHODS = {'stored.zip': zipfile.ZIP_STORED, 'deflated.zip': zipfile.ZIP_DEFLATED, 'plain.tar': None}


@pytest.fixture(autouse=True)
def none_open(monkeypatch):
    monkeypatch.setattr(image_archives, '_ARCHIVES', {})


def pack(path, members, method=zipfile.ZIP_STORED):
    """An archive of names and their bytes, in this order."""
    if path.suffix == '.tar':
        with tarfile.open(path, 'w') as archive:
            for name, content in members:
                about = tarfile.TarInfo(name)
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
    else:
        with zipfile.ZipFile(path, 'w', method) as archive:
            for name, content in members:
                archive.writestr(name, content)
    return path


@pytest.fixture(params=METHODS)
def photos(tmp_path, request):
    """Three images in a folder, and an archive of it."""
    names = ['train2014/b.png', 'train2014/a.png', 'été.png']
    for seed, name in enumerate(names):
        write_photo(tmp_path / 'folder' / name, width=40 + seed, seed=seed)
    members = [(name, (tmp_path / 'folder' / name).read_bytes()) for name in names]
    return tmp_path / 'folder', pack(tmp_path / request.param, members, METHODS[request.param])


def test_images_of_an_archive_are_those_of_its_folder(photos):
    folder, packed = photos
    archive = ImageArchive(packed)
    assert list(archive) == sorted(archive) == ['train2014/a.png', 'train2014/b.png', 'été.png']
    assert len(archive) == 3
    for name in archive:
        assert name in archive
        assert archive.read(name) == (folder / name).read_bytes()
        assert np.array_equal(read_image(packed / name), read_image(folder / name))
        assert read_image_size(packed / name) == read_image_size(folder / name)
        assert check_image(packed / name) == check_image(folder / name)


@pytest.mark.parametrize('name', ['a.png', 'train2014', 'train2014/a.pngx', 'train2014/' + 'a' * 3000, ''])
def test_a_member_that_is_not_there_is_named_with_its_archive(photos, name):
    archive = ImageArchive(photos[1])
    assert name not in archive
    with pytest.raises(ImageError, match=rf'{photos[1].name} holds no '):
        archive.read(name)


def test_the_directory_is_read_once_in_a_process(photos, monkeypatch):
    assert open_archive(photos[1]) is open_archive(photos[1])
    for kind in ('_read_zip', '_read_tar'):
        monkeypatch.setattr(image_archives, kind, None)
    read_image(photos[1] / 'été.png')


def test_a_path_that_goes_into_no_archive_is_left_to_others(tmp_path):
    assert read_inside(tmp_path / 'a.png') is None
    (tmp_path / 'folder.zip').mkdir()
    assert not is_archive(tmp_path / 'folder.zip')
    assert not is_archive(tmp_path / 'absent.zip')
    write_photo(tmp_path / 'folder.zip' / 'a.png')
    assert read_image(tmp_path / 'folder.zip' / 'a.png').shape == (30, 40, 3)
    with pytest.raises(ImageError, match='cannot be read: No such file'):
        read_image(tmp_path / 'folder.zip' / 'b.png')


@pytest.mark.parametrize('name', ['../a.png', '/etc/a.png', 'a/../../b.png', 'C:\\a.png', 'a' * 1025])
@pytest.mark.parametrize('kind', ['x.zip', 'x.tar'])
def test_a_name_that_leads_outside_is_refused(tmp_path, kind, name):
    path = pack(tmp_path / kind, [('good.png', b'1'), (name, b'2')])
    with pytest.raises(ImageError, match=rf'{kind} holds .*, a name that leads outside or has over'):
        ImageArchive(path)


@pytest.mark.filterwarnings('ignore:Duplicate name')
@pytest.mark.parametrize('kind', ['x.zip', 'x.tar'])
def test_a_name_that_is_there_twice_is_refused(tmp_path, kind):
    with pytest.raises(ImageError, match=rf'{kind} holds a.png twice'):
        ImageArchive(pack(tmp_path / kind, [('a.png', b'1'), ('b.png', b'2'), ('a.png', b'3')]))


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'no archive at all' * 100])
@pytest.mark.parametrize('kind', ['x.zip', 'x.tar'])
def test_what_is_no_archive_is_named(tmp_path, kind, content):
    (tmp_path / kind).write_bytes(content)
    with pytest.raises(ImageError, match=rf'{kind} is no whole archive'):
        ImageArchive(tmp_path / kind)
    with pytest.raises(ImageError, match=rf'{kind} is no whole archive'):
        read_image(tmp_path / kind / 'a.png')


@pytest.mark.parametrize('kind', ['x.tar.gz', 'x.tgz', 'x.tar.bz2', 'x.tar.xz'])
def test_an_archive_that_is_compressed_as_a_whole_says_what_to_do(tmp_path, kind):
    (tmp_path / kind).write_bytes(b'1')
    with pytest.raises(ImageError, match=r'unpack it once to a \.tar'):
        read_image(tmp_path / kind / 'a.png')


def test_an_encrypted_member_and_an_unusual_packing_are_refused(tmp_path):
    path = pack(tmp_path / 'x.zip', [('a.png', b'1')], zipfile.ZIP_LZMA)
    with pytest.raises(ImageError, match=r"x.zip: 'a.png' is encrypted, or packed in a way"):
        ImageArchive(path)
    content = bytearray(pack(tmp_path / 'y.zip', [('a.png', b'1')]).read_bytes())
    content[content.index(b'PK\x01\x02') + 8] |= 1
    (tmp_path / 'y.zip').write_bytes(content)
    with pytest.raises(ImageError, match='is encrypted'):
        ImageArchive(tmp_path / 'y.zip')


@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_byte_that_has_changed_is_found(tmp_path, method):
    path = pack(tmp_path / 'x.zip', [('a.png', bytes(range(256)) * 4)], method)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r'x.zip: a.png is truncated or damaged'):
        ImageArchive(path).read('a.png', check=True)
    with pytest.raises(ImageError, match=r'x.zip: a.png is truncated or damaged'):
        check_image(path / 'a.png')


def test_a_member_that_says_less_or_more_than_it_unpacks_to_is_refused(tmp_path, monkeypatch):
    path = pack(tmp_path / 'x.zip', [('a.png', b'0' * 100_000)], zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    path.write_bytes(content.replace((100_000).to_bytes(4, 'little'), (9).to_bytes(4, 'little')))
    with pytest.raises(ImageError, match='not those that were packed'):
        ImageArchive(path).read('a.png')
    path.write_bytes(content.replace((100_000).to_bytes(4, 'little'), (2**31).to_bytes(4, 'little')))
    with pytest.raises(ImageError, match=r'a.png has 2,147,483,648 bytes, more than'):
        ImageArchive(path).read('a.png')


def test_an_archive_that_was_cut_after_it_was_opened_is_named(photos):
    archive = ImageArchive(photos[1])
    with photos[1].open('r+b') as file:
        file.truncate(10)
    for name in archive:
        with pytest.raises(ImageError, match=rf'{photos[1].name}: {name} is truncated or damaged'):
            archive.read(name)
    with pytest.raises(ImageError, match='has changed since its directory was read'):
        pickle.loads(pickle.dumps(archive))


def test_an_empty_member_is_named(tmp_path):
    with pytest.raises(ImageError, match=r'x.zip/a.png is empty \(zero bytes\)'):
        read_image(pack(tmp_path / 'x.zip', [('a.png', b'')]) / 'a.png')


def _read_often(archive, names, connection):
    connection.send([archive.read(name) for name in names * 50])


def test_forked_processes_that_read_at_the_same_time_read_their_own(photos):
    folder, packed = photos
    archive, context = ImageArchive(packed), get_context('fork')
    orders = [list(archive), list(archive)[::-1], list(archive)[1:]]
    pipes = [context.Pipe() for _ in orders]
    children = [context.Process(target=_read_often, args=(archive, order, theirs))
                for order, (_, theirs) in zip(orders, pipes, strict=True)]
    for child in children:
        child.start()
    for order, (ours, _) in zip(orders, pipes, strict=True):
        assert ours.recv() == [(folder / name).read_bytes() for name in order * 50]
    for child in children:
        child.join()


def test_one_that_is_sent_to_another_process_needs_no_directory_there(photos, monkeypatch):
    sent = pickle.dumps(ImageArchive(photos[1]))
    for kind in ('_read_zip', '_read_tar'):
        monkeypatch.setattr(image_archives, kind, None)
    arrived = pickle.loads(sent)
    assert arrived.read('été.png') == (photos[0] / 'été.png').read_bytes()
    assert open_archive(photos[1]) is arrived
    assert read_image(photos[1] / 'été.png').shape == (30, 42, 3)


def test_where_the_system_reads_at_no_place_a_lock_keeps_it(photos, monkeypatch):
    archive = ImageArchive(photos[1])
    monkeypatch.delattr(os, 'pread')
    assert archive.read('été.png') == (photos[0] / 'été.png').read_bytes()
