import struct
import zlib

import numpy as np
import pytest

from mmduet.datasets.readers import mat_file
from mmduet.datasets.readers.mat_file import read_matrix
from mmduet.io.errors import DataError

savemat = pytest.importorskip('scipy.io').savemat


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('kind', ['u1', 'i2', 'u4', 'f4', 'f8', 'i8', bool])
def test_a_matrix_is_what_another_writer_put_in(tmp_path, kind, compressed):
    for shape in ((3, 5), (1, 1), (1, 3), (64, 48)):
        matrix = (np.arange(shape[0] * shape[1]).reshape(shape) % 7 < 3).astype(kind)
        savemat(tmp_path / 'm.mat', {'other': np.arange(9), 'segimg_t': matrix, 'text': 'x'}, do_compression=compressed)
        found = read_matrix(tmp_path / 'm.mat', 'segimg_t')
        assert found.shape == shape
        assert np.array_equal(found, matrix)


def test_a_file_without_the_matrix_says_so(tmp_path):
    savemat(tmp_path / 'm.mat', {'other': np.eye(2)})
    with pytest.raises(DataError, match=r"m\.mat has no matrix 'segimg_t'"):
        read_matrix(tmp_path / 'm.mat', 'segimg_t')


@pytest.mark.parametrize('content', [{'segimg_t': 'words'}, {'segimg_t': {'a': 1}}, {'segimg_t': np.zeros((2, 2, 2))}])
def test_what_is_no_matrix_of_numbers_is_refused(tmp_path, content):
    savemat(tmp_path / 'm.mat', content)
    with pytest.raises(DataError, match=r'm\.mat cannot be read as a matrix: segimg_t'):
        read_matrix(tmp_path / 'm.mat', 'segimg_t')


@pytest.mark.parametrize('compressed', [False, True])
def test_a_file_cut_off_anywhere_is_named_or_lacks_the_matrix(tmp_path, compressed):
    savemat(tmp_path / 'm.mat', {'segimg_t': np.eye(40, dtype=np.uint8)}, do_compression=compressed)
    whole = (tmp_path / 'm.mat').read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / 'm.mat').write_bytes(whole[:end])
        with pytest.raises(DataError, match=r'm\.mat'):
            read_matrix(tmp_path / 'm.mat', 'segimg_t')


def test_a_few_bytes_that_unpack_to_more_than_any_mask_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_file, '_MOST_BYTES', 2**20)
    packed = zlib.compress(bytes(2**21), 9)
    header = b'MATLAB 5.0'.ljust(124) + struct.pack('<H', 0x100) + b'IM'
    (tmp_path / 'bomb.mat').write_bytes(header + struct.pack('<II', 15, len(packed)) + packed)
    with pytest.raises(DataError, match=r'bomb\.mat .*unpacks to more than 1,048,576 bytes'):
        read_matrix(tmp_path / 'bomb.mat', 'segimg_t')
