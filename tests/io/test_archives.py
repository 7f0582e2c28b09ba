import random
import struct
import zipfile
from collections import OrderedDict

import pytest
import torch

from mmduet.io.archives import check_archive
from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.weights import read_tensor_file
from tests.flipping import flip_bits

CHECKPOINT = {'state_dict': OrderedDict(a=torch.arange(40.0), b=torch.ones(3, 3, dtype=torch.float16)), 'meta': {'iter': 7}}


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp('archive') / 'epoch_1.pth'
    torch.save(CHECKPOINT, path)
    return path


def members(path):
    """(first, last) byte of the content of each member."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            names = struct.unpack('<HH', content[member.header_offset + 26:member.header_offset + 30])
            start = member.header_offset + 30 + sum(names)
            if member.file_size:
                yield start, start + member.file_size - 1


def same(content):
    return (content['meta'] == CHECKPOINT['meta'] and content['state_dict'].keys() == CHECKPOINT['state_dict'].keys()
            and all(torch.equal(content['state_dict'][key], value) for key, value in CHECKPOINT['state_dict'].items()))


def test_each_of_a_thousand_bits_that_changed_in_the_content_is_found(archive, tmp_path):
    content, draw, changed = archive.read_bytes(), random.Random(0), tmp_path / 'epoch_1.pth'
    places = [place for first, last in members(archive) for place in range(first, last + 1)]
    found = 0
    for _ in range(1000):
        flipped = bytearray(content)
        flipped[draw.choice(places)] ^= 1 << draw.randrange(8)
        changed.write_bytes(flipped)
        try:
            check_archive(changed)
        except TruncatedFileError:
            found += 1
    assert found == 1000


def test_a_bit_that_changed_anywhere_is_found_or_changes_nothing(archive, tmp_path):
    changed = tmp_path / 'epoch_1.pth'
    for flipped in flip_bits(archive.read_bytes(), 300, seed=1):
        changed.write_bytes(flipped)
        try:
            read = read_tensor_file(changed)
        except TruncatedFileError:
            continue
        assert same(read)


@pytest.mark.parametrize('damage', [lambda content: content[:len(content) // 2], lambda content: content[:-1],
                                    lambda content: content[:500] + bytes(len(content) - 500),
                                    lambda content: b'x' + content[1:], lambda content: content[:4]])
def test_an_archive_that_was_cut_or_overwritten_is_named(archive, tmp_path, damage):
    (tmp_path / 'epoch_1.pth').write_bytes(damage(archive.read_bytes()))
    with pytest.raises(TruncatedFileError, match=r'epoch_1\.pth is truncated or corrupt'):
        check_archive(tmp_path / 'epoch_1.pth')


def test_a_whole_archive_and_the_older_format_pass(archive, tmp_path):
    assert check_archive(archive)
    torch.save(CHECKPOINT, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert not check_archive(tmp_path / 'old.pth')
    assert same(read_tensor_file(tmp_path / 'old.pth'))


def test_a_compressed_member_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / 'bomb.pth', 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('archive/data.pkl', b'\x80\x02}.')
        file.writestr('archive/data/0', bytes(1 << 22))
    with pytest.raises(TruncatedFileError, match=r'data\.pkl is compressed, which torch\.save never does'):
        check_archive(tmp_path / 'bomb.pth')


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_member_that_is_there_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / 'twice.pth', 'w') as file:
        file.writestr('archive/data.pkl', b'\x80\x02}.')
        file.writestr('archive/data.pkl', b'\x80\x02].')
    with pytest.raises(TruncatedFileError, match='names a member twice'):
        check_archive(tmp_path / 'twice.pth')


def test_a_folder_is_no_archive(tmp_path):
    with pytest.raises(DataError, match='is no regular file'):
        check_archive(tmp_path)
