import random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.safetensors_files import read_safetensors, write_safetensors

TENSORS = {'b': torch.arange(6, dtype=torch.int16), 'a': torch.tensor([[1.5, -2.0]]), 'none': torch.ones(0, 3)}


def same(tensors):
    return tensors.keys() == TENSORS.keys() and all(torch.equal(tensors[key], value) for key, value in TENSORS.items())


def test_what_is_written_is_read_by_us_and_by_the_library_with_its_metadata(tmp_path):
    path = tmp_path / 'w.safetensors'
    write_safetensors(path, TENSORS, {'source_layout': 'detr'})
    assert same(read_safetensors(path))
    with safe_open(path, 'pt') as file:
        assert file.metadata()['source_layout'] == 'detr' and len(file.metadata()['sha256']) == 64
        assert same({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    assert list(tmp_path.iterdir()) == [path]


def test_a_bit_that_changed_is_found_or_changes_nothing(tmp_path):
    path, draw = tmp_path / 'w.safetensors', random.Random(0)
    write_safetensors(path, TENSORS)
    content = path.read_bytes()
    numbers = range(len(content) - 20, len(content))
    for trial in range(1000):
        flipped, place = bytearray(content), draw.choice(numbers) if trial % 2 else draw.randrange(len(content))
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            read = read_safetensors(path)
        except TruncatedFileError:
            continue
        assert place not in numbers and same(read)


def test_a_file_of_others_is_read_without_a_checksum(tmp_path):
    save_file(TENSORS, tmp_path / 'theirs.safetensors')
    assert same(read_safetensors(tmp_path / 'theirs.safetensors'))


@pytest.mark.parametrize('content', [b'', b'\xff' * 8, b'\x02' + bytes(7) + b'[]', b'\x04' + bytes(7) + b'null',
                                     (10**5).to_bytes(8, 'little') + b'[' * 10**5,
                                     b'\x14' + bytes(7) + b'{"__metadata__": []}'])
def test_what_is_no_safetensors_file_is_named(tmp_path, content):
    (tmp_path / 'w.safetensors').write_bytes(content)
    with pytest.raises(TruncatedFileError, match=r'w\.safetensors is truncated or corrupt \(.+\)'):
        read_safetensors(tmp_path / 'w.safetensors')


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match='is no regular file'):
        read_safetensors(tmp_path)
