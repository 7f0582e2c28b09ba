import zipfile
from collections import OrderedDict

import pytest
import torch

from mmduet.io.errors import DataError
from mmduet.io.pickle_cost import require_cheap_hashes
from mmduet.io.weights import read_meta, read_tensor_file

# Sixty tuples, each the one before twice.
TUPLES = b')' + b''.join(b'q%ch%c\x86' % (level, level) for level in range(60))
DUPLICATED = b')' + b'2\x86' * 60


def archive(path, content):
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('archive/data.pkl', content)
        file.writestr('archive/version', '3\n')
    return path


@pytest.mark.parametrize('content', [b'\x80\x02}' + TUPLES + b'K\x01s.', b'\x80\x02}(' + TUPLES + b'K\x01u.',
                                     b'\x80\x02(' + TUPLES + b'K\x01d.', b'\x80\x02}' + DUPLICATED + b'K\x01s.'])
def test_a_key_that_would_never_be_hashed_is_refused(tmp_path, content):
    (tmp_path / 'raw.pth').write_bytes(content)
    for path in (archive(tmp_path / 'a.pth', content), tmp_path / 'raw.pth'):
        with pytest.raises(DataError, match=r'(a|raw)\.pth is not read: it repeats tuples in each other'):
            read_tensor_file(path)
        assert read_meta(path) == {}


@pytest.mark.parametrize('zipped', [True, False])
def test_tuples_that_come_again_are_read(tmp_path, zipped):
    betas = (0.9, (0.999, 1))
    content = {'state_dict': OrderedDict(a=torch.ones(2)), 'groups': [{'betas': betas} for _ in range(100)], ('a', betas): 1}
    torch.save(content, tmp_path / 'a.pth', _use_new_zipfile_serialization=zipped)
    require_cheap_hashes(tmp_path / 'a.pth', zipped)
    assert read_tensor_file(tmp_path / 'a.pth')['groups'][99] == {'betas': betas}


@pytest.mark.parametrize('content', [b'', b'.', b'u.', b'h\x07.', b'\xff', b'2.'])
def test_what_is_no_whole_pickle_is_left_to_its_reader(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    zipped = archive(tmp_path / 'b.pth', content)
    require_cheap_hashes(tmp_path / 'a.pth', False)
    require_cheap_hashes(zipped, True)
    for path in (tmp_path / 'a.pth', zipped):
        with pytest.raises(DataError):
            read_tensor_file(path)
