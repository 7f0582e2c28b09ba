"""Files made to run a command, to read beyond their end or to fill the memory, through every reader that may meet them."""
import json
import os
import pickle
import struct
import zipfile

import pytest

from mmduet.engine.checkpoint import CheckpointError, read_checkpoint
from mmduet.io.errors import DataError
from mmduet.io.pickles import load_plain_pickle
from mmduet.io.weights import read_meta, read_tensor_file, read_weights

MADE = 'made'
COMMAND = f'mkdir {MADE}'


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


PICKLES = {
    'system, protocol 5': pickle.dumps({'state_dict': Calls(os.system, COMMAND)}),
    'eval, protocol 2': pickle.dumps(Calls(eval, f'__import__("os").mkdir("{MADE}")'), 2),
    'system, protocol 0': pickle.dumps(Calls(os.system, COMMAND), 0),
    'system by hand': b'cposix\nsystem\n(S"' + COMMAND.encode() + b'"\ntR.',
    'a dotted name': b'\x80\x04\x8c\x08builtins\x8c\x0dint.__class__\x93.',
    'a name from the stack': b'\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x04"1+1"\x85R.',
    'the registry of extensions': b'\x80\x02\x82\x01.',
    'INST': b'(S"' + COMMAND.encode() + b'"\nios\nsystem\n.',
    'OBJ': b'(cos\nsystem\nS"' + COMMAND.encode() + b'"\no.',
    'NEWOBJ': b'\x80\x02cos\n_wrap_close\n)\x81.',
    'getattr to globals': b'cbuiltins\ngetattr\ncmmengine.logging.history_buffer\nHistoryBuffer\nS"__init__"\n\x86R.',
    'a numpy array of another type': b'\x80\x02cnumpy.core.multiarray\n_reconstruct\ncbuiltins\ngetattr\nK\x00\x85C\x01b\x87R.',
    'torch.hub': b'\x80\x02ctorch.hub\nload\nX\x01\x00\x00\x00x\x85R.',
    'a lambda of torch.jit': b'\x80\x02ctorch.jit\nload\nX\x01\x00\x00\x00x\x85R.',
}
READERS = {'checkpoint': read_checkpoint, 'weights': read_weights, 'tensors': read_tensor_file, 'plain': load_plain_pickle}
REFUSED = (CheckpointError, DataError)


def archive(path, content, numbers=b''):
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('archive/data.pkl', content)
        file.writestr('archive/byteorder', 'little')
        file.writestr('archive/version', '3\n')
        file.writestr('archive/data/0', numbers)
    return path


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('name', PICKLES)
def test_a_pickle_that_calls_anything_is_refused_and_calls_nothing(tmp_path, monkeypatch, name, zipped, reader):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(PICKLES[name])
    if zipped:
        archive(path, PICKLES[name])
    with pytest.raises(REFUSED, match=r'epoch_1\.pth'):
        READERS[reader](path)
    assert read_meta(path) == {}
    assert not (tmp_path / MADE).exists()


def tensor(size=b'K\x02', offset=b'K\x00', stride=b'K\x01', count=b'K\x02'):
    """The pickle of a state dict of one tensor, by hand."""
    return (b'\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n'
            b'X\x01\x00\x00\x000X\x03\x00\x00\x00cpu' + count + b'tQ' + offset + size + b'\x85' + stride
            + b'\x85\x89ccollections\nOrderedDict\n)RtRs.')


HUGE, NEGATIVE = b'J\xff\xff\xff\x7f', b'J\xff\xff\xff\xff'


def test_the_tensor_by_hand_is_one(tmp_path):
    assert read_weights(archive(tmp_path / 'a.pth', tensor(), struct.pack('<ff', 1, 2)))['w'].tolist() == [1, 2]


@pytest.mark.parametrize('trick', [
    {'size': HUGE}, {'offset': HUGE}, {'offset': NEGATIVE}, {'stride': NEGATIVE}, {'size': HUGE, 'stride': b'K\x00'},
    {'count': HUGE, 'size': HUGE}, {'size': NEGATIVE}, {'count': NEGATIVE}, {'size': b'N'}, {'stride': HUGE}], ids=str)
def test_a_tensor_that_is_not_in_its_file_is_refused(tmp_path, trick):
    path = archive(tmp_path / 'a.pth', tensor(**trick), struct.pack('<ff', 1, 2))
    for read in (read_checkpoint, read_weights):
        with pytest.raises(REFUSED, match=r'a\.pth'):
            read(path)


def safetensors(header, numbers=bytes(8)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + numbers


def entry(**changes):
    return {'a': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8], **changes}}


@pytest.mark.parametrize('content', [
    safetensors(entry(data_offsets=[0, 2**40])), safetensors(entry(shape=[2**62, 8])), safetensors(entry(data_offsets=[-8, 0])),
    safetensors(entry(dtype='Q99')), safetensors(entry(shape='abc')), safetensors(entry(data_offsets=None)),
    safetensors({**entry(), 'b': entry()['a']}), safetensors(b'\xff\xfe\x00'), safetensors(b'[]'), safetensors(b'null'),
    safetensors(b'[' * 100_000 + b']' * 100_000), b'', b'\0' * 7, struct.pack('<Q', 2**63), struct.pack('<Q', 2**27),
    safetensors({**entry(), '__metadata__': {'sha256': 'x'}}), safetensors({**entry(), '__metadata__': 5}),
    safetensors({**entry(), '__metadata__': {'sha256': 7}})], ids=range(18))
def test_a_safetensors_file_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / 'w.safetensors'
    path.write_bytes(content)
    for read in (read_checkpoint, read_weights):
        with pytest.raises(REFUSED, match=r'w\.safetensors is truncated or corrupt'):
            read(path)
