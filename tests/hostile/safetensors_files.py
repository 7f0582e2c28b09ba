"""Safetensors files, ours and those of others."""
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmduet.engine.checkpoint import read_checkpoint
from mmduet.io.safetensors_files import write_safetensors
from mmduet.io.weights import read_weights
from mmduet.models.teachers.centre import Centre, write_centre
from tests.hostile.case import Case, Harmless, content, no_files

DOORS = {'checkpoint': read_checkpoint, 'weights': read_weights}
SAID = r'w\.safetensors is truncated or corrupt'


def whole(header: Any, numbers: bytes = bytes(8), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(text) if length is None else length) + text + numbers


def entry(**changes: Any) -> dict[str, Any]:
    return {'a': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8], **changes}}


FILES = {
    'offsets beyond the file': whole(entry(data_offsets=[0, 2**40])), 'a shape that overflows': whole(entry(shape=[2**62, 8])),
    'a negative offset': whole(entry(data_offsets=[-8, 0])), 'an unknown type': whole(entry(dtype='Q99')),
    'a shape of text': whole(entry(shape='abc')), 'no offsets': whole(entry(data_offsets=None)),
    'tensors that overlap': whole({**entry(), 'b': entry()['a']}), 'a header that is no text': whole(b'\xff\xfe\x00'),
    'a header of a list': whole(b'[]'), 'a header of nothing': whole(b'null'),
    'a header 100,000 deep': whole(b'[' * 10**5 + b']' * 10**5),
    'nothing': b'', 'seven bytes': bytes(7), 'a header of 2**63 bytes': struct.pack('<Q', 2**63), 'a header of 2**27 bytes':
    struct.pack('<Q', 2**27), 'a checksum of another content': whole({**entry(), '__metadata__': {'sha256': 'x'}}),
    'metadata that are a number': whole({**entry(), '__metadata__': 5}), 'a checksum that is a number':
    whole({**entry(), '__metadata__': {'sha256': 7}}), 'a header longer than the file': whole(entry(), length=10**6),
    'a hole between tensors': whole(entry(data_offsets=[4, 12]), bytes(12)),
    'bytes behind the last tensor': whole(entry(), bytes(16)),
    'an entry that is a list': whole({'a': []}), 'offsets the wrong way round': whole(entry(data_offsets=[8, 0])),
    'the same name twice': whole(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1],'
                                 b'"data_offsets":[0,4]}}')}

OTHERS = {'a page of the web': (b'<!DOCTYPE html><html>404</html>', 'a page of the web'),
          'a pickle': (b'cos\nsystem\n(S"true"\ntR.', 'a text file')}


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / 'w.safetensors'
        write_safetensors(path, {'a': torch.arange(8.), 'b': torch.ones(3)})
        path.write_bytes(change(path.read_bytes()))
        return path
    return make


def _centre(settings: dict[str, Any], change: Callable[[bytes], bytes] = bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_centre(folder / 'c.safetensors', {'text': torch.ones(4)}, torch.tensor(2.), settings)
        (folder / 'c.safetensors').write_bytes(change((folder / 'c.safetensors').read_bytes()))
        return folder / 'c.safetensors'
    return make


def _open_centre(path: Path) -> Any:
    return Centre(path, {'model': 'a'}).get_buffer('text').tolist()


CASES = [
    *(Case(f'safetensors: {name}', content('w.safetensors', data), DOORS, SAID) for name, data in FILES.items()),
    *(Case(f'safetensors: {name}', content('w.safetensors', data), DOORS, rf'w\.safetensors holds no weights: it is {kind}')
      for name, (data, kind) in OTHERS.items()),
    Case('safetensors: ours', _changed(bytes), {'weights': lambda path: read_weights(path)['a'].tolist()},
    Harmless(list(map(float, range(8))))),
    Case('safetensors: no tensor', content('w.safetensors', whole({}, b'')), DOORS, r'w\.safetensors:? holds no'),
    Case('safetensors: a bit that changed', _changed(lambda data: data[:-5] + bytes([data[-5] ^ 64]) + data[-4:]), DOORS,
         SAID + r' \(its numbers are not those that were written'),
    Case('safetensors: a name that changed', _changed(lambda data: data.replace(b'"b"', b'"c"')), DOORS, SAID),
    Case('safetensors: cut', _changed(lambda data: data[:-3]), DOORS, SAID),
    Case('safetensors: longer than written', _changed(lambda data: data + b'x'), DOORS, SAID),
    *(Case(f'safetensors: {name}', maker, DOORS, r'\.safetensors')
      for name, maker in no_files('w.safetensors', '.safetensors').items()),
    Case('centre: ours', _centre({'model': 'a'}), {'centre': _open_centre}, Harmless([1., 1., 1., 1.])),
    Case('centre: of another teacher', _centre({'model': 'b'}), {'centre': _open_centre},
    r"c\.safetensors is the centre of a teacher of model 'b'"),
    Case('centre: cut', _centre({'model': 'a'}, lambda data: data[:-2]), {'centre': _open_centre},
    r'c\.safetensors is truncated'),
    Case('centre: settings that are no JSON', content('c.safetensors',
    whole({'text': entry()['a'], '__metadata__': {'teacher': '{'}})),
         {'centre': _open_centre}, r'c\.safetensors'),
    Case('centre: settings that are a list', content('c.safetensors',
    whole({'text': entry()['a'], '__metadata__': {'teacher': '[]'}})),
         {'centre': _open_centre}, r'c\.safetensors'),
    Case('centre: a target that nobody knows', content('c.safetensors', whole({'x.y': entry()['a'], '__metadata__': {
        'teacher': '{"model": "a"}'}})), {'centre': _open_centre}, r'c\.safetensors'),
    Case('centre: a file of PyTorch', lambda folder: (torch.save({'text': torch.ones(4)}, folder / 'c.pth'),
    folder / 'c.pth')[1],
         {'centre': _open_centre}, r'c\.pth'),
]
