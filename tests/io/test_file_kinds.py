import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from mmduet.io.errors import DataError
from mmduet.io.file_kinds import describe_other_kind
from mmduet.io.weights import read_tensor_file


def image(kind):
    buffer = io.BytesIO()
    Image.new('RGB', (8, 8), 'red').save(buffer, kind)
    return buffer.getvalue()


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def array():
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


def onnx():
    from onnx import helper
    graph = helper.make_graph([], 'g', [], [])
    return helper.make_model(graph, producer_name='mmduet').SerializeToString()


OTHERS = {
    'a PNG image': lambda: image('PNG'), 'a JPEG image': lambda: image('JPEG'), 'a GIF image': lambda: image('GIF'),
    'a TIFF image': lambda: image('TIFF'), 'a WebP image': lambda: image('WEBP'), 'a NumPy array': array,
    'a zip archive of 2 files': lambda: zipped(a='1', b='2'), 'a model that was exported (ONNX), which mmduet predict': onnx,
    'a text file': lambda: 'model = dict(größe=1)\n'.encode() * 60, 'compressed by gzip': lambda: b'\x1f\x8b\x08\0',
    'a page of the web: its download led to one': lambda: b'\n<!DOCTYPE html>\n<html lang="en">',
    'a pointer of Git LFS, whose content': lambda: b'version https://git-lfs.github.com/spec/v1\noid sha256:1\n',
    'a safetensors file: its name must end in': lambda: save({'a': torch.ones(1)})}


@pytest.mark.parametrize('kind', OTHERS)
def test_what_is_no_weights_is_named_for_what_it_is(kind, tmp_path):
    path = tmp_path / 'best.pth'
    path.write_bytes(OTHERS[kind]())
    assert describe_other_kind(path).startswith(kind)
    with pytest.raises(DataError) as caught:
        read_tensor_file(path)
    assert str(caught.value).startswith(f'{path} holds no weights: it is {kind}')


def test_weights_and_what_is_left_of_them_are_none_of_these(tmp_path):
    path = tmp_path / 'best.pth'
    for zipping in (True, False):
        torch.save({'a': torch.ones(400)}, path, _use_new_zipfile_serialization=zipping)
        content = path.read_bytes()
        assert describe_other_kind(path) == '' and read_tensor_file(path)['a'].sum() == 400
        for cut in (0, 3, 100, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:cut])
            assert describe_other_kind(path) == ''
    other = tmp_path / 'a.safetensors'
    other.write_bytes(save({'a': torch.ones(1)}))
    assert describe_other_kind(other) == ''
    torch.save({'a': torch.ones(1)}, other)
    assert describe_other_kind(other).startswith('no safetensors file but a zip, as PyTorch writes')
    other.write_bytes(b'version https://git-lfs.github.com/spec/v1')
    with pytest.raises(DataError, match='a pointer of Git LFS'):
        read_tensor_file(other)


def test_a_long_header_of_safetensors_is_not_taken_for_onnx(tmp_path):
    path, length = tmp_path / 'a.safetensors', 0x120508  # the bytes with which an ONNX file may begin
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    path.write_bytes(length.to_bytes(8, 'little') + header + b'\0' * 4)
    assert describe_other_kind(path) == '' and read_tensor_file(path)['a'].tolist() == [0]
